"""A wrapped client on a real OpenSearch with a real service: order, pages, and everything else as the engine has it."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import OpenSearch

import sidetower_client
from sidetower_client import Event, RerankingOpenSearch
from tests.client.conftest import ids, make_index, reranked
from tests.client.served import TOTAL, WITHOUT_VECTOR, cars
from tests.service.rerank.world import seen

#: The price keeps any two scores apart, in the engine and in ours.
QUERY: dict[str, Any] = {
    "function_score": {
        "query": {"match": {"title": "red estate car"}},
        "field_value_factor": {"field": "price", "factor": 1e-4},
        "boost_mode": "sum",
    }
}
HISTORY: list[Event] = seen("car-7", "car-22")  # type: ignore[assignment]

pytestmark = pytest.mark.opensearch


def engine_hits(plain: OpenSearch, index: str, query: dict[str, Any], size: int = TOTAL) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = plain.search(index=index, body={"query": query, "size": size})["hits"]["hits"]
    return hits


def test_hits_come_in_the_order_of_the_service(
    client: RerankingOpenSearch, plain: OpenSearch, index: str, service: str
) -> None:
    hits = engine_hits(plain, index, QUERY)
    expected = reranked(service, hits, query="red estate car", history=HISTORY, user="u1")
    answer = client.search(index=index, body={"query": QUERY}, sidetower={"user": "u1", "history": HISTORY})
    assert ids(answer) == [id_ for id_, _ in expected[:10]] != [hit["_id"] for hit in hits[:10]]
    marker = answer["ext"]["sidetower"]
    assert (marker["ranked_by"], marker["degraded"], marker["history_used"]) == ("toy-1", None, 2)
    assert marker["rank_id"]
    assert client.search(index=index, body={"query": QUERY})["hits"]["hits"] == hits[:10]


def test_scores_fall_with_the_place_and_the_engines_are_told_beside_them(
    client: RerankingOpenSearch, plain: OpenSearch, index: str, service: str
) -> None:
    hits = engine_hits(plain, index, QUERY)
    places = {hit["_id"]: (rank, hit["_score"]) for rank, hit in enumerate(hits, start=1)}
    told = dict(reranked(service, hits, query="red estate car", history=HISTORY))
    answer = client.search(
        index=index, body={"query": QUERY, "size": TOTAL}, sidetower={"history": HISTORY, "explain": True}
    )
    shown = answer["hits"]["hits"]
    scores = [hit["_score"] for hit in shown]
    assert scores == sorted(scores, reverse=True)
    assert answer["hits"]["max_score"] == scores[0]
    for hit in shown:
        own = hit["_sidetower"]
        assert (own["engine_rank"], own["engine_score"]) == places[hit["_id"]]
        assert hit["_score"] <= told[hit["_id"]] + 1e-5
    assert shown[0]["_score"] == pytest.approx(sum(shown[0]["_sidetower"]["parts"].values()))
    # Without a vector a listing keeps its place, whatever score it has.
    kept = {f"car-{number}" for number in range(TOTAL - WITHOUT_VECTOR, TOTAL)}
    assert {hit["_id"]: place for place, hit in enumerate(shown, 1) if hit["_id"] in kept} == {
        id_: rank for id_, (rank, _) in places.items() if id_ in kept
    }


@pytest.mark.parametrize("size", [1, 7, 20])
def test_pages_are_the_ranking_of_the_window_and_then_the_engines_order(
    plain: OpenSearch, index: str, service: str, size: int
) -> None:
    window = 25
    hits = engine_hits(plain, index, QUERY)
    expected = [id_ for id_, _ in reranked(service, hits[:window], query="red estate car", history=HISTORY)]
    expected += [hit["_id"] for hit in hits[window:]]
    client = sidetower_client.wrap(
        plain, url=service, tenant="north", kind="listing", window=window, deadline_ms=10_000
    )
    # Pages of one hit would take a search each: the first, those around the window's end, and the last will do.
    starts = range(0, TOTAL + size, size) if size > 1 else [0, 23, 24, 25, 26, TOTAL - 1, TOTAL]
    for start in starts:
        body = {"query": QUERY, "from": start, "size": size}
        answer = client.search(index=index, body=body, sidetower={"history": HISTORY})
        assert ids(answer) == expected[start : start + size], start
        assert answer["ext"]["sidetower"]["degraded"] is None
        scores = [hit["_score"] for hit in answer["hits"]["hits"]]
        assert scores == sorted(scores, reverse=True)


def test_everything_else_is_the_engines(client: RerankingOpenSearch, plain: OpenSearch, index: str) -> None:
    body: dict[str, Any] = {
        "query": {
            "bool": {
                "must": QUERY,
                "should": {"nested": {"path": "extras", "query": {"term": {"extras.name": "radio"}}, "inner_hits": {}}},
                "filter": {"range": {"price": {"lte": 12_000, "_name": "cheap"}}},
            }
        },
        "size": TOTAL,
        "post_filter": {"terms": {"make": ["volvo", "bmw"]}},
        "aggs": {"makes": {"terms": {"field": "make"}, "aggs": {"mean": {"avg": {"field": "price"}}}}},
        "highlight": {"fields": {"title": {}}},
        "_source": ["title", "price"],
        "fields": ["make"],
        "docvalue_fields": ["price"],
        "script_fields": {"double": {"script": "doc['price'].value * 2"}},
        "suggest": {"words": {"text": "estete", "term": {"field": "title"}}},
        "version": True,
        "seq_no_primary_term": True,
        "explain": True,
        "min_score": 0.01,
        "track_total_hits": 20,
        "timeout": "10s",
    }
    options = {"preference": "_local", "ignore_unavailable": True, "request_timeout": 20, "typed_keys": True}
    expected = plain.search(index=index, body=body, **options)
    answer = client.search(index=index, body=body, sidetower={"history": HISTORY}, **options)
    assert answer["ext"]["sidetower"]["ranked_by"] == "toy-1"
    assert ids(answer) != ids(expected)
    assert len(expected["hits"]["hits"]) > 20 == expected["hits"]["total"]["value"]
    assert list(answer["hits"]) == list(expected["hits"])
    for found in (answer, expected):
        del found["took"]
        del found["hits"]["max_score"]
        found.pop("ext", None)
        for hit in found["hits"]["hits"]:
            hit.pop("_sidetower", None)
            del hit["_score"]
        found["hits"]["hits"].sort(key=lambda hit: hit["_id"])
    assert answer == expected


def test_what_the_person_typed_is_found_in_the_query_or_told(
    client: RerankingOpenSearch, plain: OpenSearch, index: str, service: str
) -> None:
    typed = [id_ for id_, _ in reranked(service, engine_hits(plain, index, QUERY), query="blue van diesel")]
    told = client.search(index=index, body={"query": QUERY}, sidetower={"query": "blue van diesel"})
    assert ids(told) == typed[:10]
    found = [id_ for id_, _ in reranked(service, engine_hits(plain, index, QUERY), query="red estate car")]
    assert ids(client.search(index=index, body={"query": QUERY}, sidetower={})) == found[:10] != typed[:10]


def test_ids_may_stand_in_a_field(client: RerankingOpenSearch, plain: OpenSearch, index: str, service: str) -> None:
    name = f"{index}-other-ids"
    make_index(plain, name, cars())
    make_index(plain, f"{name}-moved", [{**one, "_id": one["listing_id"] + "!"} for one in cars()])
    by_field = sidetower_client.wrap(
        plain, url=service, tenant="north", kind="listing", deadline_ms=10_000, id_field="listing_id"
    )
    asked: Any = {"body": {"query": QUERY}, "sidetower": {"history": HISTORY}}
    try:
        expected = ids(client.search(index=name, **asked))
        answer = by_field.search(index=f"{name}-moved", **asked)
        assert [id_.removesuffix("!") for id_ in ids(answer)] == expected
        # The same listings twice, under ids of their own: whose rank would it be?
        both = by_field.search(index=f"{name},{name}-moved", **asked)
        assert both["ext"]["sidetower"]["degraded"] == "ambiguous_ids"
        twice = client.search(index=f"{name},{index}", **asked)
        assert twice["ext"]["sidetower"]["degraded"] == "ambiguous_ids"
        assert ids(twice) == ids(plain.search(index=f"{name},{index}", body={"query": QUERY}))
        nameless = sidetower_client.wrap(plain, url=service, tenant="north", kind="listing", id_field="extras.id")
        assert nameless.search(index=name, **asked)["ext"]["sidetower"]["degraded"] == "ids_missing"
    finally:
        plain.indices.delete(index=f"{name}*")


def test_a_search_may_name_another_tenant(client: RerankingOpenSearch, plain: OpenSearch, index: str) -> None:
    # The south has no listing of this id.
    answer = client.search(index=index, body={"query": QUERY}, sidetower={"tenant": "south", "history": HISTORY[:1]})
    north = client.search(index=index, body={"query": QUERY}, sidetower={"history": HISTORY[:1]})
    assert north["ext"]["sidetower"]["history_used"] == 1
    assert answer["ext"]["sidetower"]["history_used"] == 0


def test_several_indexes_and_shards(client: RerankingOpenSearch, plain: OpenSearch, index: str, service: str) -> None:
    name = f"{index}-half"
    make_index(plain, f"{name}-1", cars()[:30], number_of_shards=2)
    make_index(plain, f"{name}-2", cars()[30:])
    try:
        hits = engine_hits(plain, f"{name}-*", QUERY)
        expected = [id_ for id_, _ in reranked(service, hits, query="red estate car", history=HISTORY)]
        answer = client.search(
            index=[f"{name}-1", f"{name}-2"], body={"query": QUERY, "size": 30}, sidetower={"history": HISTORY}
        )
        assert ids(answer) == expected[:30]
        assert {hit["_index"] for hit in answer["hits"]["hits"]} == {f"{name}-1", f"{name}-2"}
    finally:
        plain.indices.delete(index=f"{name}-*")


def test_a_search_that_finds_nothing(client: RerankingOpenSearch, index: str) -> None:
    body = {"query": {"match": {"title": "spaceship"}}, "aggs": {"makes": {"terms": {"field": "make"}}}}
    answer = client.search(index=index, body=body, sidetower={"history": HISTORY})
    assert ids(answer) == []
    assert answer["aggregations"]["makes"]["buckets"] == []
    assert answer["ext"]["sidetower"] == {"ranked_by": "engine", "degraded": None}
