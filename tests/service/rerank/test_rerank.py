"""POST /v1/rerank with candidates: what moves, what stays, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.rerank.faults import OneCallFails
from tests.service.rerank.test_errors import error_of
from tests.service.rerank.world import LISTING, World, fill, listing, seen
from tests.support.service_client import ServiceClient

OURS = ("n1", "n2", "n3", "n4", "n5", "shared")


def order(answer: dict[str, Any]) -> list[Any]:
    return [result["id"] for result in answer["results"]]


def scores(answer: dict[str, Any]) -> list[float]:
    return [result["score"] for result in answer["results"]]


def level(*ids_: Any) -> list[dict[str, Any]]:
    """Candidates between which the engine makes no difference."""
    return [{"id": id_, "score": 5.0} for id_ in ids_]


def test_a_query_ranks_the_candidates_by_relevance(north: ServiceClient) -> None:
    answer = north.rerank(*level("n5", "n4", "n1"), query="red estate diesel", explain=True)
    assert order(answer) == ["n1", "n5", "n4"]
    assert (answer["ranked_by"], answer["degraded"], answer["history_used"]) == ("toy-1", None, 0)
    assert len(answer["rank_id"]) == 36
    assert answer["took_ms"] > 0
    first = answer["results"][0]
    assert (first["index"], first["engine_rank"]) == (2, 3)
    # The engine's scores are equal, so its term is 0.
    assert first["parts"] == pytest.approx({"engine": 0, "relevance": first["score"], "personal": 0})


def test_history_moves_what_is_like_it_up(north: ServiceClient) -> None:
    offered = level("n1", "n2", "n3", "n4")
    stranger = north.rerank(*offered, query="petrol")
    fan = north.rerank(*offered, query="petrol", history=seen("n4"), user="u1")
    assert fan["history_used"] == 1
    assert order(fan)[0] == "n4"
    assert order(stranger)[0] != "n4"
    assert order(north.rerank(*level("n1", "n5"), history=seen("n5"))) == ["n5", "n1"]


def test_rerank_and_search_rank_the_same_candidates_alike(north: ServiceClient) -> None:
    asked: dict[str, Any] = {"query": "red petrol", "history": seen("n4"), "weight": 0.7}
    cold = north.search(query="red petrol", weight=0, limit=100)["hits"]
    searched = north.search(**asked, limit=100, explain=True)["hits"]
    reranked = north.rerank(*[{"id": hit["id"], "score": hit["score"]} for hit in cold], **asked, explain=True)
    expected = [(hit["id"], hit["score"], hit["engine_rank"], hit["parts"]) for hit in searched]
    found = [(one["id"], one["score"], one["engine_rank"], one["parts"]) for one in reranked["results"]]
    assert found == [
        # Ages are measured from the request on, which moves the last digits.
        (id_, pytest.approx(score), rank, pytest.approx(parts))
        for id_, score, rank, parts in expected
    ]


def test_without_scores_the_rank_counts_as_in_a_fused_search(north: ServiceClient) -> None:
    bare = north.rerank("n5", "n4", "n1", query="red estate")
    told = [{"id": id_, "score": 1 / (60 + rank)} for rank, id_ in enumerate(["n5", "n4", "n1"], start=1)]
    scored = north.rerank(*told, query="red estate")
    assert bare["results"] == scored["results"]
    assert scores(north.rerank("n5", "n4", weight=0)) == [1 / 61, 1 / 62]


@pytest.mark.parametrize("asked", [{"weight": 0, "query": "red", "history": seen("n4")}, {}], ids=["weight 0", "bare"])
def test_the_callers_order_and_scores_bit_for_bit(north: ServiceClient, asked: dict[str, Any]) -> None:
    told = [("n5", 3.3), ("nowhere", 0.1 + 0.2), ("n1", 1e-300), ("n4", -7.5)]
    answer = north.rerank(*[{"id": id_, "score": score} for id_, score in told], **asked, explain=True)
    assert list(zip(order(answer), scores(answer), strict=True)) == told
    assert [one["engine_rank"] for one in answer["results"]] == [1, 2, 3, 4]
    assert [one["index"] for one in answer["results"]] == [0, 1, 2, 3]
    assert (answer["ranked_by"], answer["degraded"]) == ("engine", None)
    assert [one["parts"] for one in answer["results"]] == [{"engine": score} for _, score in told]


def test_a_cold_rerank_needs_neither_index_nor_model(world: World) -> None:
    def broken(name: str) -> None:
        raise KeyError(name)

    client = ServiceClient(world.app(engine=None, release=broken, bundle=broken))
    assert client.rerank("n2", "n1", query="red", weight=0)["degraded"] is None


def test_a_query_without_any_word_is_the_callers_order(north: ServiceClient) -> None:
    answer = north.rerank("n5", "n1", query="?!")
    assert (order(answer), answer["ranked_by"]) == (["n5", "n1"], "engine")


def test_what_our_index_does_not_hold_keeps_its_place(north: ServiceClient) -> None:
    too_long = "x" * 450
    told = [("nowhere", 3.0), ("n5", 2.0), (too_long, 2.0), ("n1", 2.0), ("a\tb", 1.0)]
    offered = [{"id": id_, "score": score} for id_, score in told]
    answer = north.rerank(*offered, query="red estate diesel", explain=True)
    assert order(answer) == ["nowhere", "n1", too_long, "n5", "a\tb"]
    still = answer["results"][2]
    assert still["parts"] == {"engine": (2 - 1) / (3 - 1)}
    assert (still["index"], still["engine_rank"]) == (2, 3)


def test_a_pending_and_a_removed_item_keep_their_places(world: World, north: ServiceClient) -> None:
    world.tell("north", LISTING, listing("new", "red estate diesel"), embed=False)
    assert north.ask("DELETE", "/v1/items/listing/n2?revision=2").status_code == 200
    assert order(north.rerank(*level("n5", "new", "n2", "n1"), query="red estate diesel")) == ["n1", "new", "n2", "n5"]


def test_an_item_told_a_moment_ago_is_read_without_a_refresh(world: World, north: ServiceClient) -> None:
    world.tell("north", LISTING, listing("blue", "blue boat"))
    assert north.ask("DELETE", "/v1/items/listing/blue?revision=2").status_code == 200
    assert order(north.rerank(*level("n1", "blue", "n5"), query="blue boat")) == ["n5", "blue", "n1"]


def test_a_limit_cuts_what_is_told_not_what_is_ranked(north: ServiceClient) -> None:
    whole = north.rerank(*OURS, query="blue roadster")
    assert north.rerank(*OURS, query="blue roadster", limit=2)["results"] == whole["results"][:2]
    assert len(whole["results"]) == len(OURS)


def test_ids_come_back_as_they_were_sent(world: World, north: ServiceClient) -> None:
    world.tell("north", LISTING, listing("17", "green boat"))
    answer = north.rerank(*level("n1", 17), query="green boat")
    assert order(answer) == [17, "n1"]


def test_a_thousand_candidates_are_ranked(world: World, north: ServiceClient) -> None:
    titles = ["lorry" if number == 777 else f"car {number}" for number in range(1_000)]
    world.tell("north", LISTING, *(listing(f"m{number:03}", title) for number, title in enumerate(titles)))
    answer = north.rerank(*level(*(f"m{number:03}" for number in range(1_000))), query="lorry")
    assert order(answer)[0] == "m777"
    assert len(set(order(answer))) == 1_000


def test_kinds_have_candidates_of_their_own(north: ServiceClient) -> None:
    answer = north.rerank("n1", "a1", kind="article", query="red estate", explain=True)
    assert order(answer) == ["n1", "a1"]
    assert [set(one["parts"]) for one in answer["results"]] == [{"engine"}, {"engine", "relevance", "personal"}]


CANDIDATE: dict[str, Any] = {"id": "n1"}


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        ({"candidates": []}, "body.candidates", "at least 1"),
        ({"candidates": [{"id": str(n)} for n in range(1_001)]}, "body.candidates", "at most 1000"),
        ({"candidates": None}, "body.candidates", "a valid list"),
        ({"candidates": ["n1"]}, "body.candidates[0]", "a JSON object"),
        ({"candidates": [{}]}, "body.candidates[0].id", "it is required"),
        ({"candidates": [{"id": ""}]}, "body.candidates[0].id", "an id of 1 to 512 characters"),
        ({"candidates": [{"id": True}]}, "body.candidates[0].id", "text or a whole number"),
        ({"candidates": [{"id": 1.5}]}, "body.candidates[0].id", "text or a whole number"),
        ({"candidates": [CANDIDATE, CANDIDATE]}, "body.candidates[1]", "every id once"),
        ({"candidates": [{"id": 1}, {"id": "1"}]}, "body.candidates[1]", "every id once"),
        ({"candidates": [{"id": "a", "score": 1}, CANDIDATE]}, "body.candidates[1].score", "other candidates have"),
        ({"candidates": [{"id": "a", "score": "1"}]}, "body.candidates[0].score", "a valid number"),
        ({"candidates": [{"id": "a", "score": 1e101}]}, "body.candidates[0].score", "less than or equal"),
        ({"candidates": [{"id": "a", "rank": 1}]}, "body.candidates[0].rank", "no such field"),
        ({"limit": 0}, "body.limit", "greater than or equal to 1"),
        ({"filters": []}, "body.filters", "no such field"),
        ({"documents": ["red"], "query": "red"}, "body.candidates", "no such field"),
        ({"history": [{"kind": "boat", "id": "1", "action": "view", "timestamp": 1}]}, "body.history[0].kind", "one"),
        ({"query": "x" * 1_001}, "body.query", "at most 1000 characters"),
        ({"weight": 1.01}, "body.weight", "less than or equal to 1"),
    ],
)
def test_a_wrong_rerank_is_told(north: ServiceClient, change: dict[str, Any], place: str, expected: str) -> None:
    answer = north.ask("POST", "/v1/rerank", json={"kind": "listing", "candidates": [CANDIDATE], **change})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["place"]) == (422, "invalid_query", place)
    assert expected in error["expected"]


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_score_that_is_no_number_is_told(north: ServiceClient, score: str) -> None:
    content = f'{{"kind": "listing", "candidates": [{{"id": "n1", "score": {score}}}]}}'.encode()
    answer = north.ask("POST", "/v1/rerank", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert error_of(answer)["expected"] == "well-formed JSON"


@pytest.mark.parametrize("body", [{}, [], "red", None, {"kind": "listing"}])
def test_neither_shape_is_told(north: ServiceClient, body: Any) -> None:
    answer = north.ask("POST", "/v1/rerank", json=body)
    assert answer.status_code == 422
    assert "{" not in error_of(answer)["place"]


def test_an_unknown_kind_is_told(north: ServiceClient) -> None:
    answer = north.ask("POST", "/v1/rerank", json={"kind": "boat", "candidates": [CANDIDATE]})
    assert (answer.status_code, error_of(answer)["expected"]) == (404, "one of: article, listing")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ServiceClient:
    """The service over the filled world, for many examples."""
    world = World(tmp_path_factory.mktemp("world"))
    fill(world)
    return ServiceClient(world.app())


OFFERED = st.lists(st.sampled_from([*OURS, "s1", "dealer", "x1", "x2", "x3"]), min_size=1, unique=True)
SCORE = st.floats(min_value=-1e100, max_value=1e100)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    ids=OFFERED,
    draw=st.data(),
    weight=st.floats(min_value=0, max_value=1),
    query=st.sampled_from(["", "red", "petrol estate", "?!"]),
    liked=st.sampled_from([None, "n4", "s1"]),
)
def test_every_candidate_comes_back_once_and_its_parts_sum_to_its_score(
    whole: ServiceClient, ids: list[str], draw: st.DataObject, weight: float, query: str, liked: str | None
) -> None:
    told = draw.draw(st.lists(SCORE, min_size=len(ids), max_size=len(ids)))
    offered = [{"id": id_, "score": score} for id_, score in zip(ids, told, strict=True)]
    history = seen(liked) if liked else []
    answer = whole.rerank(*offered, weight=weight, query=query, history=history, explain=True)
    assert sorted(order(answer)) == sorted(ids)
    for place, one in enumerate(answer["results"]):
        assert sum(one["parts"].values()) == one["score"]
        assert ids[one["index"]] == one["id"]
        assert one["engine_rank"] == one["index"] + 1
        if one["id"] not in OURS:
            assert one["index"] == place
    if weight == 0 or answer["degraded"] or answer["ranked_by"] == "engine":
        assert list(zip(order(answer), scores(answer), strict=True)) == list(zip(ids, told, strict=True))
    else:
        moved = [(-one["score"], one["id"]) for one in answer["results"] if one["id"] in OURS]
        assert moved == sorted(moved)


@settings(deadline=None, max_examples=20)
@given(ids=OFFERED, query=st.sampled_from(["", "red", "petrol estate"]))
def test_weight_nothing_is_the_callers_order(whole: ServiceClient, ids: list[str], query: str) -> None:
    answer = whole.rerank(*ids, query=query, history=seen("n4"), weight=0)
    assert order(answer) == ids
    assert scores(answer) == [1 / (60 + rank) for rank in range(1, len(ids) + 1)]


def test_a_request_is_read_from_one_lookup(world: World) -> None:
    calls: list[list[str]] = []

    class Counting(OneCallFails):
        def lookup(self, generation: str, scope: Any, ids: Any) -> Any:
            calls.append(list(ids))
            return super().lookup(generation, scope, ids)

    client = ServiceClient(world.app(engine=Counting(world.engine, "")))
    told = ["n1", "nowhere", "x" * 450]
    first = client.rerank(*told, query="red", history=seen("n4", "n1"))
    assert calls == [["n1", "nowhere", "n4"]]
    again = client.rerank(*told, query="red", history=seen("n4", "n1"))
    assert calls == [["n1", "nowhere", "n4"]]
    assert [one["id"] for one in again["results"]] == [one["id"] for one in first["results"]]


def test_a_body_of_a_megabyte_is_refused(north: ServiceClient, tmp_path: Path) -> None:
    answer = north.ask("POST", "/v1/rerank", json={"query": "red", "documents": ["x" * 1_048_576]})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")
