"""Searches through the gateway: the ranking's order, its pages and scores, and the two searches behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.journeys.processes import until
from tests.service.gateway.asking import QUERY, SCORES, Asking, gateway_before, ids, outcome
from tests.service.gateway.stand_in import Answered, StandIn
from tests.service.rerank.world import World, seen


def falling(scores: dict[str, float]) -> list[float]:
    """The scores as shown: a hit that cannot be compared never has more than the one before it."""
    told: list[float] = []
    for score in scores.values():
        told.append(min([score, *told[-1:]]))
    return told


def test_hits_come_in_the_order_of_a_rerank(gateway: Asking) -> None:
    expected = gateway.reranked()
    answer = gateway.search()
    assert list(expected) != list(SCORES)
    assert ids(answer) == list(expected)
    hits = answer.json()["hits"]
    assert [hit["_score"] for hit in hits["hits"]] == falling(expected)
    assert hits["max_score"] == hits["hits"][0]["_score"]
    assert hits["total"] == {"value": len(SCORES), "relation": "eq"}
    assert [hit["_source"] for hit in hits["hits"]] == [{"title": f"title of {id_}"} for id_ in expected]


def test_what_became_of_it_is_told_in_headers_and_body(gateway: Asking) -> None:
    answer = gateway.search()
    assert outcome(answer) == {"ranked-by": "toy-1"}
    told = answer.json()["ext"]["sidetower"]
    assert told == {
        "ranked_by": "toy-1",
        "degraded": None,
        "rank_id": answer.headers["x-sidetower-rank-id"],
        "history_used": 1,
    }
    [first, *_] = answer.json()["hits"]["hits"]
    place = list(SCORES).index(first["_id"])
    assert first["_sidetower"] == {"engine_rank": place + 1, "engine_score": SCORES[first["_id"]]}
    explained = gateway.search(person={"history": seen("n1"), "deadline_ms": 10_000, "explain": True}).json()
    [told, *_] = explained["hits"]["hits"]
    for name in ("parts", "contributions"):
        assert sum(told["_sidetower"][name].values()) == pytest.approx(first["_score"])


@pytest.mark.parametrize(("start", "size"), [(0, 2), (2, 3), (5, 3), (6, 10)])
def test_pages_are_slices_of_one_ranking(gateway: Asking, start: int, size: int) -> None:
    whole, page = gateway.search().json()["hits"], gateway.search(size=size, **{"from": start}).json()["hits"]
    assert page["hits"] == whole["hits"][start : start + size]
    assert page["max_score"] == whole["max_score"]


def test_behind_the_window_the_clusters_order_goes_on(gateway: Asking) -> None:
    window, behind = list(SCORES)[:4], list(SCORES)[4:]
    expected = list(gateway.reranked(*window))
    assert ids(gateway.search("few", size=3, **{"from": 2})) == [*expected[2:], *behind[:1]]
    assert ids(gateway.search("few", size=4, **{"from": 3})) == [*expected[3:], *behind]
    scores = [hit["_score"] for hit in gateway.search("few", size=4, **{"from": 3}).json()["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_one_search_becomes_two(gateway: Asking, cluster: StandIn) -> None:
    body: dict[str, Any] = {"highlight": {"fields": {"title": {}}}, "size": 2, "ext": {"ubi": {"query_id": "1"}}}
    answer = gateway.search(**body)
    window, page = cluster.sent
    assert {window.method, page.method} == {"POST"}
    assert {window.target, page.target} == {"/cars/_search"}
    assert window.search == {"query": QUERY, "ext": {}, "from": 0, "size": 200, "_source": False}
    ours: dict[str, Any] = {"from": 0, "size": 2, "track_total_hits": False}
    ours |= {"post_filter": {"bool": {"filter": [{"ids": {"values": ids(answer)}}]}}}
    assert page.search == {"query": QUERY, **body, **ours}


def test_get_with_a_body_and_words_in_the_url(gateway: Asking, cluster: StandIn) -> None:
    content = json.dumps({"query": QUERY, "ext": {"sidetower": {"deadline_ms": 10_000}}})
    url = "/gateway/cars/_search?size=2&from=1&typed_keys&preference=a%26b&track_total_hits=true"
    answer = gateway.http.request("GET", url, content=content, headers={"content-type": "application/json"})
    assert ids(answer) == list(gateway.reranked(history=[]))[1:3]
    window, page = cluster.sent
    assert {window.method, page.method} == {"GET"}
    assert window.target == "/cars/_search?preference=a%26b&track_total_hits=true"
    assert page.target == "/cars/_search?typed_keys=&preference=a%26b"


def test_ids_may_stand_in_a_field(gateway: Asking, cluster: StandIn) -> None:
    def found(sent: Any) -> Answered:
        hits = [
            {"_index": "cars", "_id": f"doc-{id_}", "_score": score, "_source": {"listing": {"id": id_}}}
            for id_, score in SCORES.items()
        ]
        return Answered(content=json.dumps({"hits": {"max_score": 4.0, "hits": hits}}).encode())

    cluster.answer = found
    answer = gateway.search("fields")
    assert ids(answer) == [f"doc-{id_}" for id_ in gateway.reranked()]
    assert cluster.sent[0].search["_source"] == ["listing.id"]


def test_a_search_names_its_tenant_where_the_index_does_not(gateway: Asking) -> None:
    person = {"history": seen("n1"), "deadline_ms": 10_000}
    north = gateway.search("any", person={**person, "tenant": "north"})
    assert ids(north) == list(gateway.reranked())
    # The south knows nothing of n1, and one of the documents.
    south = gateway.search("any", person={**person, "tenant": "south"}).json()["ext"]["sidetower"]
    assert south["history_used"] == 0
    nobody = gateway.search("any")
    assert outcome(nobody) == {"degraded": "refused"}
    assert "ext.sidetower.tenant" in nobody.headers["x-sidetower-detail"]


def test_whole_numbers_of_any_length_and_every_letter_come_through(gateway: Asking, cluster: StandIn) -> None:
    source = {"big": 2**80, "title": 'Z\u00fcrich \u2603 "quoted" \U0001f697', "exact": 0.1}

    def answer(sent: Any) -> Answered:
        hits = [{"_index": "cars", "_id": "n1", "_score": 1.5, "_source": source}]
        return Answered(content=json.dumps({"hits": {"max_score": 1.5, "hits": hits}}).encode())

    cluster.answer = answer
    [hit] = gateway.search().json()["hits"]["hits"]
    assert hit["_source"] == source


def test_requests_are_counted_by_their_route(cluster: StandIn, world: World) -> None:
    with gateway_before(cluster.address, world) as gateway:
        gateway.search()
        gateway.http.get("/gateway/_cluster/health")
        gateway.http.request("PROPFIND", "/gateway/cars/_search")
        for labels in (
            'method="POST",route="/gateway/{index}/_search",status="200"',
            'method="GET",route="/gateway/{path}",status="200"',
            'method="",route="unknown",status="501"',
        ):
            # A request is counted when it is over, a moment after its answer is there.
            line = f"sidetower_http_requests_total{{{labels}}} 1.0"
            until(lambda line=line: line in gateway.http.get("/metrics").text, line)  # type: ignore[misc]
