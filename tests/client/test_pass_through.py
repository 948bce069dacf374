"""What a wrapped client leaves alone: other methods, searches without `sidetower=`, and those that cannot be ranked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch, helpers

import sidetower_client
from sidetower_client import Options, RerankingOpenSearch
from tests.client.conftest import ids
from tests.client.false_service import nobody
from tests.client.recording import RecordingConnection, sent_by
from tests.client.test_search import HISTORY, QUERY

pytestmark = pytest.mark.opensearch

OPTIONS: Options = {"user": "u1", "history": HISTORY}


class TheHostsOwn(OpenSearch):  # type: ignore[misc]  # opensearch-py is not followed
    """A client that the host has made its own."""

    def search(self, *args: Any, **kwargs: Any) -> Any:
        """Searches as user 7."""
        return super().search(*args, **kwargs, opaque_id="user-7")

    def cheapest(self, index: str) -> str:
        """Something that only this client can do."""
        body = {"sort": [{"price": "asc"}], "size": 1}
        id_: str = self.search(index=index, body=body)["hits"]["hits"][0]["_id"]
        return id_


@pytest.fixture
def recorded(opensearch_url: str) -> Iterator[OpenSearch]:
    """A client that keeps what it sends."""
    with OpenSearch([opensearch_url], connection_class=RecordingConnection, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def wrapped(recorded: OpenSearch, service: str) -> RerankingOpenSearch:
    """The same, wrapped."""
    return sidetower_client.wrap(recorded, url=service, tenant="north", kind="listing", deadline_ms=10_000)


def test_without_sidetower_every_byte_is_that_of_opensearch_py(
    recorded: OpenSearch, wrapped: RerankingOpenSearch, index: str
) -> None:
    for client in (recorded, wrapped):
        client.search(index=index, body={"query": QUERY}, size=3, params={"preference": "_local"})
        client.search(index=index, body={"query": QUERY}, sidetower=None) if client is wrapped else client.search(
            index=index, body={"query": QUERY}
        )
        client.search(body=json.dumps({"query": QUERY}), index=[index], headers={"X-Opaque-Id": "1"}, from_=2)
        client.count(index=index, body={"query": QUERY})
        client.indices.get_mapping(index=index)
        client.cat.indices(index=index, format="json")
        list(helpers.scan(client, index=index, query={"query": QUERY}, size=50))
        client.msearch(body=[{"index": index}, {"query": QUERY}])
        client.get(index=index, id="car-1")
    sent = sent_by(recorded)
    assert len(sent) % 2 == 0
    assert without_scroll_ids(sent[len(sent) // 2 :]) == without_scroll_ids(sent[: len(sent) // 2])


def without_scroll_ids(sent: list[tuple[Any, ...]]) -> list[str]:
    return [repr(one) for one in sent if "scroll_id" not in str(one)]


def test_it_is_the_hosts_own_client(opensearch_url: str, service: str, index: str) -> None:
    with TheHostsOwn([opensearch_url], timeout=30) as own:
        client = sidetower_client.wrap(own, url=service, tenant="north", kind="listing", deadline_ms=10_000)
        assert isinstance(client, TheHostsOwn)
        assert client.transport is own.transport
        assert client.cheapest(index) == "car-0"
        answer = client.search(index=index, body={"query": QUERY}, sidetower=OPTIONS)
        assert answer["ext"]["sidetower"]["ranked_by"] == "toy-1"


UNRANKED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "sort": ("sort", {"sort": [{"price": "asc"}]}, {}),
    "sort in the URL": ("sort", {}, {"sort": "price:asc"}),
    "search_after": ("search_after", {"search_after": [2_000], "sort": [{"price": "asc"}]}, {}),
    "scroll": ("scroll", {}, {"scroll": "1s"}),
    "collapse": ("collapse", {"collapse": {"field": "make"}}, {}),
    "rescore": ("rescore", {"rescore": {"window_size": 5, "query": {"rescore_query": QUERY}}}, {}),
    "profile": ("profile", {"profile": True}, {}),
    "size 0": ("size", {"size": 0, "aggs": {"makes": {"terms": {"field": "make"}}}}, {}),
    "size beyond the window": ("size", {"size": 201}, {}),
    "from beyond the window": ("from", {"from": 200}, {}),
    "from in the URL": ("from", {"from": 3}, {"from_": 200}),
    "size in the URL": ("size", {"size": 3}, {"params": {"size": 0}}),
    "terminate_after": ("terminate_after", {"terminate_after": 5}, {}),
    "filter_path": ("filter_path", {}, {"filter_path": "hits.hits._id"}),
    "q": ("q", {}, {"q": "title:red"}),
}


@pytest.mark.parametrize("name", UNRANKED)
def test_what_cannot_be_ranked_passes_through(
    recorded: OpenSearch, wrapped: RerankingOpenSearch, index: str, name: str
) -> None:
    why, more, options = UNRANKED[name]
    body = {**({} if "q" in options else {"query": QUERY}), **more}
    expected = recorded.search(index=index, body=body, **options)
    answer = wrapped.search(index=index, body=body, sidetower=OPTIONS, **options)
    asked, asked_again = sent_by(recorded)
    assert asked == asked_again
    marker = answer.pop("ext")["sidetower"] if "hits" in answer else None
    assert marker in (None, {"ranked_by": None, "degraded": None, "passed_through": why})
    for found in (answer, expected):
        for changing in ("took", "_scroll_id", "profile"):
            found.pop(changing, None)
    assert answer == expected


def test_a_body_that_is_text_passes_through(wrapped: RerankingOpenSearch, index: str) -> None:
    answer = wrapped.search(index=index, body=json.dumps({"query": QUERY}), sidetower=OPTIONS)
    assert answer["ext"]["sidetower"]["passed_through"] == "body"


def test_weight_nothing_is_the_engines_order_and_asks_nobody(plain: OpenSearch, index: str) -> None:
    client = sidetower_client.wrap(plain, url=nobody(), tenant="north", kind="listing")
    answer = client.search(index=index, body={"query": QUERY}, sidetower={**OPTIONS, "weight": 0})
    assert answer.pop("ext")["sidetower"] == {"ranked_by": "engine", "degraded": None}
    assert answer["hits"] == plain.search(index=index, body={"query": QUERY})["hits"]


def test_nothing_to_rank_by_is_the_engines_order(wrapped: RerankingOpenSearch, plain: OpenSearch, index: str) -> None:
    body = {"query": {"term": {"make": "bmw"}}}
    answer = wrapped.search(index=index, body=body, sidetower={})
    assert answer["ext"]["sidetower"]["ranked_by"] == "engine"
    assert answer["hits"] == plain.search(index=index, body=body)["hits"]


def test_a_ranked_search_is_two_searches(wrapped: RerankingOpenSearch, recorded: OpenSearch, index: str) -> None:
    body = {"query": QUERY, "size": 3, "ext": {}, "highlight": {"fields": {"title": {}}}}
    answer = wrapped.search(index=index, body=body, sidetower=OPTIONS, routing="a", track_total_hits=True)
    window, page = sent_by(recorded)
    assert window[:3] == ("POST", f"/{index}/_search", {"routing": b"a", "track_total_hits": b"true"})
    assert json.loads(window[3]) == {"query": QUERY, "ext": {}, "from": 0, "size": 200, "_source": False}
    assert page[:3] == ("POST", f"/{index}/_search", {"routing": b"a"})
    assert json.loads(page[3]) == {
        "query": QUERY,
        "ext": {},
        "highlight": {"fields": {"title": {}}},
        "from": 0,
        "size": 3,
        "track_total_hits": False,
        "post_filter": {"bool": {"filter": [{"ids": {"values": ids(answer)}}]}},
    }
