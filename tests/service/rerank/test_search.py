"""POST /v1/search: what is found, in which order, and on which page."""

from __future__ import annotations

from typing import Any

import pytest

from rerank_service.request import WINDOW
from tests.service.rerank.world import LISTING, World, engine_order, ids, listing, seen
from tests.support.service_client import ServiceClient


def test_an_answer_names_the_bundle_and_carries_fields(north: ServiceClient) -> None:
    answer = north.search(query="red estate diesel")
    assert answer["ranked_by"] == "toy-1"
    assert answer["degraded"] is None
    assert len(answer["rank_id"]) == 36
    assert answer["took_ms"] > 0
    first = answer["hits"][0]
    assert (first["id"], first["kind"], first["engine_rank"]) == ("n1", "listing", 1)
    assert first["fields"]["title"] == "red estate diesel"
    assert "parts" not in first


def test_every_answer_has_an_id_of_its_own(north: ServiceClient) -> None:
    assert north.search(query="red")["rank_id"] != north.search(query="red")["rank_id"]


def test_explained_parts_sum_to_the_score(north: ServiceClient) -> None:
    answer = north.search(query="red estate", history=seen("n4"), explain=True, weight=0.7)
    for hit in answer["hits"]:
        assert set(hit["parts"]) == {"engine", "relevance", "personal"}
        assert sum(hit["parts"].values()) == hit["score"]
    assert any(hit["parts"]["personal"] != 0 for hit in answer["hits"])


def test_history_moves_what_is_like_it_up(north: ServiceClient) -> None:
    stranger = ids(north.search(query="petrol", weight=1))
    fan = north.search(query="petrol", history=seen("n4"), weight=1)
    assert fan["history_used"] == 1
    assert stranger.index("n4") > 0
    assert ids(fan)[0] == "n4"


def test_history_without_query_ranks_everything(north: ServiceClient) -> None:
    answer = north.search(history=seen("n5"))
    assert ids(answer)[0] == "n5"
    assert answer["ranked_by"] == "toy-1"
    assert set(ids(answer)) == {"n1", "n2", "n3", "n4", "n5", "shared"}


def test_history_of_another_kind_in_the_same_space_counts(north: ServiceClient) -> None:
    answer = north.search(history=seen("a1", kind="article"))
    assert answer["history_used"] == 1
    assert ids(answer)[0] in {"n1", "n2"}


def test_an_item_that_was_seen_often_counts_once(north: ServiceClient) -> None:
    often = [{"kind": "listing", "id": "n4", "action": "view", "timestamp": 1000 + age} for age in range(100)]
    answer = north.search(history=[*often, *seen("n5")])
    assert answer["history_used"] == 2
    assert ids(answer)[0] == "n5"


@pytest.mark.parametrize("text", ["red estate diesel", "petrol", "blue"])
def test_weight_nothing_is_the_engines_order_bit_for_bit(world: World, north: ServiceClient, text: str) -> None:
    answer = north.search(query=text, weight=0, history=seen("n4", "n5"), limit=100)
    assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == engine_order(world, text)
    assert (answer["ranked_by"], answer["degraded"]) == ("engine", None)


def test_neither_history_nor_text_is_the_engines_order_bit_for_bit(world: World, north: ServiceClient) -> None:
    answer = north.search(limit=100)
    assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == engine_order(world, "")
    assert [hit["engine_rank"] for hit in answer["hits"]] == list(range(1, len(answer["hits"]) + 1))
    assert answer["ranked_by"] == "engine"


def test_a_query_without_any_word_and_history_is_the_engines_order(world: World, north: ServiceClient) -> None:
    answer = north.search(query="?!")
    assert (ids(answer), answer["ranked_by"]) == ([], "engine")


def test_filters_hold_for_both_legs(north: ServiceClient) -> None:
    filters = [{"range": {"price": {"lte": 9000}}}, {"not": {"term": {"make": "fiat"}}}]
    assert set(ids(north.search(query="red estate", filters=filters))) == {"n1", "n2"}
    recent = [{"range": {"listed": {"gte": "2026-01-05"}}}]
    assert set(ids(north.search(filters=recent))) == {"n5", "shared"}


def test_a_pending_item_keeps_its_engine_rank(world: World) -> None:
    document = listing("new", "petrol petrol petrol", make="mg", price=1)
    world.tell("north", LISTING, document, embed=False)
    north = ServiceClient(world.app())
    cold = ids(north.search(query="petrol", weight=0))
    place = cold.index("new")
    answer = north.search(query="petrol", history=seen("n4"), explain=True)
    assert ids(answer) != cold
    assert ids(answer)[place] == "new"
    hit = answer["hits"][place]
    assert set(hit["parts"]) == {"engine"}
    assert hit["engine_rank"] == place + 1


def test_a_page_is_a_slice_of_one_ranking(world: World) -> None:
    makes = ["mg", "bmw", "fiat"]
    world.tell(
        "north",
        LISTING,
        *(listing(f"x{number}", f"green car {number % 7}", make=makes[number % 3]) for number in range(60)),
    )
    north = ServiceClient(world.app())
    ask: dict[str, Any] = {"query": "green car", "history": seen("n4"), "filters": [{"term": {"make": "mg"}}]}
    whole = north.search(**ask, limit=100)
    assert whole["total_candidates"] == len(whole["hits"]) >= 20
    pages = [north.search(**ask, limit=7, offset=offset) for offset in range(0, 21, 7)]
    assert [id_ for page in pages for id_ in ids(page)] == ids(whole)[:21]
    assert {page["total_candidates"] for page in pages} == {whole["total_candidates"]}


def test_the_window_is_ranked_whatever_the_page(world: World) -> None:
    filler = [listing(f"w{number:03}", "plain car", price=number) for number in range(WINDOW + 50)]
    world.tell("north", LISTING, *filler)
    north = ServiceClient(world.app())
    answer = north.search(query="plain car", limit=1)
    assert answer["total_candidates"] == WINDOW
    last = north.search(query="plain car", limit=1, offset=WINDOW - 1)
    assert len(last["hits"]) == 1
