"""What the gateway leaves alone: other paths, methods and bodies go to the cluster and come back byte for byte."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from rerank_service.gateway.asked import MAX_BODY_BYTES
from tests.client.false_service import trickling
from tests.service.gateway.asking import QUERY, Asking, gateway_before, ids, outcome
from tests.service.gateway.stand_in import Answered, StandIn, found
from tests.service.rerank.world import World
from tests.support.search_cases import PAGES

BULK = b'{"index":{"_id":"1"}}\n{"title":"caf\xc3\xa9"}\n'


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/", b""),
        ("HEAD", "/cars", b""),
        ("GET", "/cars/_doc/a%2F15%20b?routing=x&routing=y;z", b""),
        ("POST", "/_bulk?refresh=true", BULK),
        ("POST", "/cars/_msearch", b'{}\n{"query":{"match_all":{}},"ext":{"sidetower":{}}}\n'),
        ("POST", "/_search/scroll", b'{"scroll_id":"x"}'),
        ("POST", "/cars/_search/template", b'{"source":{}}'),
        ("PUT", "/cars/_search", b"{}"),
        ("DELETE", "/cars", b""),
        ("PATCH", "/_plugins/_security/api/roles", b"[]"),
        ("GET", "/caf%C3%A9/_count?q=%22a+b%22", b""),
    ],
)
def test_everything_but_a_search_goes_on_as_it_came(
    gateway: Asking, cluster: StandIn, method: str, path: str, content: bytes
) -> None:
    told = (("content-type", "application/yaml"), ("warning", '299 OpenSearch "old"'), ("x-opaque-id", "7"))
    cluster.answer = lambda sent: Answered(418, b"--- \xff", told)
    headers = {"content-type": "application/x-ndjson", "x-opaque-id": "7"} if content else {}
    answer = gateway.http.request(method, f"/gateway{path}", content=content, headers=headers)
    assert answer.status_code == 418
    assert answer.content == (b"" if method == "HEAD" else b"--- \xff")
    assert {name: answer.headers[name] for name, _ in told} == dict(told)
    assert answer.headers["content-length"] == "5"
    assert outcome(answer) == {}
    [sent] = cluster.sent
    assert (sent.method, sent.target, sent.body) == (method, path, content)


def test_headers_go_along_but_for_those_of_the_connection(gateway: Asking, cluster: StandIn) -> None:
    headers = {
        "Authorization": "Basic dTpw",
        "Cookie": "a=b",
        "X-Opaque-Id": "user-7",
        "traceparent": "00-1-2-03",
        "Connection": "keep-alive, X-Of-This-Hop",
        "X-Of-This-Hop": "1",
        "X-Sidetower-Tenant": "north",
        "TE": "trailers",
    }
    for path in ("/cars/_search", "/cars/_count"):
        gateway.http.post(f"/gateway{path}", json={"query": QUERY}, headers=headers)
    for sent in cluster.sent:
        assert sent.header("host") == cluster.address.removeprefix("http://")
        for name in ("authorization", "cookie", "x-opaque-id", "traceparent", "content-type", "accept-encoding"):
            assert sent.header(name), name
        for name in ("connection", "x-of-this-hop", "x-sidetower-tenant", "te", "transfer-encoding"):
            assert sent.header(name) is None, name


@pytest.mark.parametrize("mine", ["Basic dXNlcjpwYXNz", "Bearer abc", None])
def test_every_search_of_the_cluster_is_signed_in_as_the_caller(
    gateway: Asking, cluster: StandIn, mine: str | None
) -> None:
    headers = {"Authorization": mine} if mine else {}
    assert outcome(gateway.search(headers=headers)) == {"ranked-by": "toy-1"}
    assert outcome(gateway.search(headers=headers, sort=["price"])) == {"passed": "sort"}
    assert [sent.header("authorization") for sent in cluster.sent] == [mine] * 3


RANKLESS = [(body, url, page) for body, url, page in PAGES if isinstance(page, str)]


@pytest.mark.parametrize(("body", "url", "against"), RANKLESS)
def test_searches_that_cannot_be_ranked(
    gateway: Asking, cluster: StandIn, body: dict[str, Any], url: dict[str, str], against: str
) -> None:
    cluster.answer = lambda sent: Answered(content=b'{ "hits" : {"hits":[]} }')
    asked = {**body, "ext": {"sidetower": {"user": "u1"}, "ubi": {"a": 1.50}}}
    answer = gateway.http.post("/gateway/cars/_search", params=url, json=asked)
    assert outcome(answer) == {"passed": against}
    assert answer.content == b'{ "hits" : {"hits":[]} }'
    [sent] = cluster.sent
    assert sent.search == {**body, "ext": {"ubi": {"a": 1.50}}}


def test_a_search_that_says_nothing_to_us_goes_on_byte_for_byte(gateway: Asking, cluster: StandIn) -> None:
    body = b'{ "query" : {"match_all":{}}, "min_score": 1.500 }'
    cluster.answer = lambda sent: Answered()
    for content, against in ((body, "ext.sidetower"), (b"{", "body"), (b'["a"]', "body"), (b"", "ext.sidetower")):
        headers = {"content-type": "application/json"}
        answer = gateway.http.post("/gateway/cars/_search", content=content, headers=headers)
        assert cluster.sent[-1].body == content
        assert outcome(answer) == {"passed": against}


@pytest.mark.parametrize("index", ["cars,other", "c*", "_all", "", "other"])
def test_indexes_that_are_not_configured(gateway: Asking, cluster: StandIn, index: str) -> None:
    path = f"/{index}/_search" if index else "/_search"
    body = {"query": QUERY, "ext": {"sidetower": {"user": "u1"}}}
    assert outcome(gateway.http.post(f"/gateway{path}", json=body)) == {"passed": "index"}
    assert [(sent.target, sent.search) for sent in cluster.sent] == [(path, {"query": QUERY})]


def test_an_index_may_be_percent_encoded(gateway: Asking, cluster: StandIn) -> None:
    answer = gateway.search("%63ars")
    assert outcome(answer) == {"ranked-by": "toy-1"}
    assert {sent.target for sent in cluster.sent} == {"/%63ars/_search"}


@pytest.mark.parametrize("person", [{"weight": 0, "user": "u1"}, {"query": ""}, {"query": " ", "weight": 0.5}])
def test_the_cold_rule_is_the_clusters_answer_byte_for_byte(
    gateway: Asking, cluster: StandIn, person: dict[str, Any]
) -> None:
    answer = gateway.search(person=person)
    assert outcome(answer) == {"ranked-by": "engine"}
    [sent] = cluster.sent
    assert sent.search == {"query": QUERY}
    assert answer.content == found(sent, {"n5": 4.0, **dict(zip(ids(answer), scores(answer), strict=True))}).content


def scores(answer: Any) -> list[float]:
    return [hit["_score"] for hit in answer.json()["hits"]["hits"]]


def test_a_page_that_nothing_is_found_for_is_the_clusters(gateway: Asking, cluster: StandIn) -> None:
    answer = gateway.search(**{"from": 50})
    assert (outcome(answer), ids(answer)) == ({"ranked-by": "engine"}, [])
    assert len(cluster.sent) == 2


def test_compressed_searches_are_read(gateway: Asking, cluster: StandIn) -> None:
    body = {"query": QUERY, "ext": {"sidetower": {"deadline_ms": 10_000}}}
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    for more in ({}, {"sort": ["price"]}):
        content = gzip.compress(json.dumps({**body, **more}).encode())
        assert outcome(gateway.http.post("/gateway/cars/_search", content=content, headers=headers)) == (
            {"passed": "sort"} if more else {"ranked-by": "toy-1"}
        )
    assert [sent.header("content-encoding") for sent in cluster.sent] == [None] * 3
    assert all("ext" not in sent.search for sent in cluster.sent)
    plain = gzip.compress(b'{"query":{"match_all":{}}}')
    cluster.answer = lambda sent: Answered(content=gzip.compress(b"{}"), headers=(("content-encoding", "gzip"),))
    answer = gateway.http.post("/gateway/cars/_search", content=plain, headers=headers)
    assert (cluster.sent[-1].body, cluster.sent[-1].header("content-encoding")) == (plain, "gzip")
    assert (answer.content, answer.headers["content-encoding"]) == (b"{}", "gzip")


@pytest.mark.parametrize("path", ["/_bulk", "/cars/_search"])
def test_bodies_of_any_length_go_through(gateway: Asking, cluster: StandIn, path: str) -> None:
    content = b'{"query":' + b" " * (5 * MAX_BODY_BYTES) + b"{}}"
    cluster.answer = lambda sent: Answered(content=sent.body)
    for sent_as in (content, iter([content[:1000], content[1000:]])):
        answer = gateway.http.post(f"/gateway{path}", content=sent_as, headers={"content-type": "application/json"})
        assert answer.content == content
        assert cluster.sent[-1].body == content
        assert outcome(answer) == ({"passed": "body"} if path.endswith("_search") else {})
    assert cluster.sent[0].header("content-length") == str(len(content))


def test_an_answer_is_passed_on_while_it_comes(world: World) -> None:
    with trickling() as address, gateway_before(address, world) as gateway:
        with gateway.http.stream("GET", "/gateway/_all") as streamed:
            assert streamed.status_code == 200
            assert next(streamed.iter_raw())
        # Whoever hangs up in the middle disturbs nobody.
        assert gateway.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/%2e%2e/secret", "/cars/%2E/_search", "/a/..%2fb/../c"])
def test_no_path_leaves_the_clusters_root(gateway: Asking, cluster: StandIn, path: str) -> None:
    with_dots = gateway.http.build_request("GET", "/gateway/x")
    with_dots.extensions = {"target": f"/gateway{path}".encode()}
    answer = gateway.http.send(with_dots)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_query"
    assert cluster.sent == []


def test_the_rest_of_the_service_is_there(gateway: Asking) -> None:
    assert gateway.http.get("/healthz").status_code == 200
    assert gateway.http.get("/gateway").status_code == 404
    assert gateway.http.get("/gatewayx/_search").status_code == 404


def test_without_a_gateway_there_is_none(world: World) -> None:
    from tests.support.service_client import ServiceClient

    assert ServiceClient(world.app()).ask("POST", "/gateway/cars/_search", json={}).status_code == 404
