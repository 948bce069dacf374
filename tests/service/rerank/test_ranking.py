"""The ranking itself: terms, places, ties and parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.features import History, Scores
from domain.items import Item, ItemKey
from domain.search import Candidate, Hit
from domain.vectors import DIMENSIONS, Array
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.known import Known
from rerank_service.ranking import engine_terms, in_engine_order
from rerank_service.ranking import rank as rank_places
from tests.support.toy_bundle import ToyBundle, ToyManifest


def axis(number: int) -> Array:
    """A unit vector."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[number] = 1
    return vector


def candidate(id_: str, score: float, vector: Array | None, space: str = "toy", views: float = 0) -> Candidate:
    item = Item(ItemKey("north", "listing", id_), 1, signals={"views": views})
    return Candidate(item, score, 5, vector, space if vector is not None else "")


def history_of(*vectors: Array) -> History:
    return ToyBundle().history(np.stack(vectors), ["view"] * len(vectors), [0.0] * len(vectors))


def rank(
    candidates: list[Candidate],
    bundle: ToyBundle,
    query: Array | None,
    history: History | None,
    weight: float,
    **more: Any,
) -> tuple[Hit, ...]:
    ids, scores = [one.key.id for one in candidates], [one.score for one in candidates]
    known = Known.of(candidates, bundle.space)
    return rank_places(ids, scores, known, bundle, query, history, weight, **more).hits(candidates)


def test_engine_terms_are_scaled_between_lowest_and_highest() -> None:
    assert engine_terms([7.0, 4.0, 3.0]).tolist() == [(7 - 3) / (7 - 3), (4 - 3) / (7 - 3), (3 - 3) / (7 - 3)]


def test_equal_engine_scores_say_nothing() -> None:
    assert engine_terms([2.5, 2.5]).tolist() == [0.0, 0.0]
    assert engine_terms([]).tolist() == []


def test_score_is_engine_plus_weight_times_relevance_and_gated_personal() -> None:
    found = rank(
        [candidate("a", 3.0, axis(0)), candidate("b", 1.0, axis(1))],
        ToyBundle(),
        query=axis(0),
        history=history_of(axis(1)),
        weight=0.4,
    )
    a, b = sorted(found, key=lambda hit: hit.item.key.id)
    assert a.parts == pytest.approx({"engine": 1.0, "relevance": 0.4 * 1, "personal": 0.4 * 0.5 * 0})
    assert b.parts == pytest.approx({"engine": 0.0, "relevance": 0.4 * 0, "personal": 0.4 * 0.5 * 1})
    assert [hit.engine_rank for hit in (a, b)] == [1, 2]


def test_without_history_personal_is_exactly_nothing() -> None:
    found = rank([candidate("a", 1.0, axis(0))], ToyBundle(), query=axis(0), history=None, weight=1.0)
    assert found[0].parts["personal"] == 0.0


def test_equal_scores_are_in_order_of_id() -> None:
    same = [candidate(id_, 1.0, axis(0)) for id_ in ("c", "a", "b")]
    found = rank(same, ToyBundle(), query=axis(0), history=None, weight=1.0)
    assert [hit.item.key.id for hit in found] == ["a", "b", "c"]


def test_signals_reach_the_scorer_in_the_order_of_the_manifest() -> None:
    class Popular:
        def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
            zero = np.zeros(len(items), dtype=np.float32)
            return Scores(relevance=10 * signals[:, 1] + signals[:, 0], gate=0.0, personal=zero)

    bundle = ToyBundle(manifest=ToyManifest(signals=("absent", "views")), scorer=Popular())
    candidates = [candidate("a", 0.0, axis(0), views=1), candidate("b", 0.0, axis(1), views=2)]
    found = rank(candidates, bundle, query=axis(0), history=None, weight=1.0)
    assert [(hit.item.key.id, hit.parts["relevance"]) for hit in found] == [("b", 10 * 2), ("a", 10 * 1)]


def test_a_vector_of_another_space_is_not_compared() -> None:
    foreign = candidate("a", 2.0, axis(0), space="other")
    found = rank([foreign, candidate("b", 1.0, axis(0))], ToyBundle(), query=axis(0), history=None, weight=1.0)
    assert [hit.item.key.id for hit in found] == ["a", "b"]
    assert found[0].parts == {"engine": 1.0}


def test_no_vector_at_all_cannot_be_ranked() -> None:
    with pytest.raises(CannotRank) as caught:
        rank([candidate("a", 2.0, None)], ToyBundle(), query=axis(0), history=None, weight=1.0)
    assert caught.value.reason is Degraded.NO_VECTORS


@pytest.mark.parametrize(
    "scores",
    [
        Scores(np.array([np.nan, 0], dtype=np.float32), 0.5, np.zeros(2, dtype=np.float32)),
        Scores(np.zeros(2, dtype=np.float32), float("inf"), np.zeros(2, dtype=np.float32)),
        Scores(np.zeros(3, dtype=np.float32), 0.5, np.zeros(2, dtype=np.float32)),
        Scores(np.zeros(2, dtype=np.float32), 0.5, np.zeros((2, 1), dtype=np.float32)),
    ],
    ids=["nan", "infinite gate", "one too many", "column"],
)
def test_an_unsound_answer_of_the_scorer_cannot_be_ranked(scores: Scores) -> None:
    class Unsound:
        def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
            return scores

    candidates = [candidate("a", 2.0, axis(0)), candidate("b", 1.0, axis(1))]
    with pytest.raises(CannotRank) as caught:
        rank(candidates, replace(ToyBundle(), scorer=Unsound()), query=axis(0), history=None, weight=1.0)
    assert caught.value.reason is Degraded.MODEL_FAILED


ROWS = st.lists(
    st.tuples(
        st.floats(min_value=-1e6, max_value=1e6),
        # No vector, a vector of another space, or the axis of the vector.
        st.sampled_from([None, "other", 0, 1, 2]),
    ),
    min_size=1,
    max_size=30,
)


def candidates_of(rows: list[tuple[float, object]]) -> list[Candidate]:
    made = []
    for number, (score, what) in enumerate(sorted(rows, key=lambda row: -row[0])):
        vector = axis(what if isinstance(what, int) else 0) if what is not None else None
        made.append(candidate(f"i{number:02}", score, vector, "other" if what == "other" else "toy"))
    return made


@settings(deadline=None)
@given(rows=ROWS, weight=st.floats(min_value=0.01, max_value=1), liked=st.sampled_from([None, 0, 1]))
def test_the_result_is_a_permutation_where_items_without_vector_keep_their_place(
    rows: list[tuple[float, object]], weight: float, liked: int | None
) -> None:
    candidates = candidates_of(rows)
    history = None if liked is None else history_of(axis(liked))
    movable = {one.key.id for one in candidates if one.space == "toy"}
    if not movable:
        with pytest.raises(CannotRank):
            rank(candidates, ToyBundle(), axis(1), history, weight)
        return
    found = rank(candidates, ToyBundle(), axis(1), history, weight)
    ids = [hit.item.key.id for hit in found]
    assert sorted(ids) == sorted(one.key.id for one in candidates)
    for place, (before, hit) in enumerate(zip(candidates, found, strict=True), start=1):
        if before.key.id not in movable:
            assert hit.item.key == before.key
            assert hit.engine_rank == place
        assert candidates[hit.engine_rank - 1].key == hit.item.key
        assert sum(hit.parts.values()) == hit.score
    moved = [(-hit.score, hit.item.key.id) for hit in found if hit.item.key.id in movable]
    assert moved == sorted(moved)


@settings(deadline=None)
@given(rows=ROWS)
def test_engine_order_is_the_candidates_bit_for_bit(rows: list[tuple[float, object]]) -> None:
    candidates = candidates_of(rows)
    found = in_engine_order([one.key.id for one in candidates], [one.score for one in candidates]).hits(candidates)
    assert [(hit.item, hit.score) for hit in found] == [(one.item, one.score) for one in candidates]
    assert [hit.engine_rank for hit in found] == list(range(1, len(candidates) + 1))
    assert all(sum(hit.parts.values()) == hit.score for hit in found)
