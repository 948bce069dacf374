"""Metrics on rankings whose figures can be worked out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from domain.errors import InvalidQuery
from recommender.evaluation.metrics import judge, pair_accuracy, ranking, tie_order


def test_each_metric_is_its_arithmetic() -> None:
    found = judge([[7, 3, 5, 1]], [{3, 1}])
    best = 1 / log2(2) + 1 / log2(3)
    assert found.ndcg.tolist() == pytest.approx([(1 / log2(3) + 1 / log2(5)) / best])
    assert found.recall.tolist() == [2 / 2]
    assert found.reciprocal_rank.tolist() == [1 / 2]


def test_the_tenth_place_counts_and_the_eleventh_only_for_the_deep_recall() -> None:
    rows = list(range(30))
    found = judge([rows, rows], [{9}, {10, 25}])
    assert found.ndcg.tolist() == pytest.approx([1 / log2(11), 0])
    assert found.recall.tolist() == [1, 0]
    assert found.recall_deep.tolist() == [1, 1 / 2]
    assert found.reciprocal_rank.tolist() == pytest.approx([1 / 10, 0])


def test_more_relevant_items_than_places_can_still_be_perfect() -> None:
    assert judge([list(range(20))], [set(range(15))]).ndcg.tolist() == pytest.approx([1.0])


def test_means_carry_the_names_that_people_use() -> None:
    found = judge([[0], [1]], [{0}, {0}]).means()
    assert found == {"NDCG@10": 1 / 2, "recall@10": 1 / 2, "recall@20": 1 / 2, "MRR@10": 1 / 2}


def test_a_case_without_an_answer_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="case 1"):
        judge([[0], [0]], [{0}, set()])


def test_equal_scores_stand_in_an_order_that_knows_nothing_of_them() -> None:
    ids = [f"item-{number}" for number in range(50)]
    ties = tie_order(ids)
    assert sorted(ties.tolist()) == list(range(50))
    assert ties.tolist() != list(range(50))
    rows = ranking(np.zeros(50), ties)
    assert ties[rows].tolist() == list(range(50))
    # The order of the rows themselves does not matter: the same ids come out in the same order.
    turned = ids[::-1]
    again = ranking(np.zeros(50), tie_order(turned))
    assert [turned[row] for row in again] == [ids[row] for row in rows]


@pytest.mark.parametrize("depth", [1, 3, 10, 49, 50, 60])
def test_a_shallow_ranking_is_the_start_of_the_whole_one(depth: int) -> None:
    scores = np.random.default_rng(0).integers(0, 5, 50)
    ties = tie_order([str(number) for number in range(50)])
    assert ranking(scores, ties, depth=depth).tolist() == ranking(scores, ties)[:depth].tolist()
    hidden = set(range(0, 50, 3))
    shallow = ranking(scores, ties, hidden, depth)
    assert shallow.tolist() == [row for row in ranking(scores, ties) if row not in hidden][:depth]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="NaN"):
        ranking(np.array([1.0, np.nan]), np.arange(2))


def test_pair_accuracy_counts_pairs_and_halves_ties() -> None:
    grades = np.array([5.0, 4.5, 3.0])
    # Pairs a star apart: (5, 3) and (4.5, 3); the first is right, the second a tie.
    assert pair_accuracy(np.array([2.0, 1.0, 1.0]), grades, apart=1.0) == (1 + 1 / 2) / 2
    assert pair_accuracy(np.array([0.0, 1.0, 2.0]), grades) == 0 / 3
    assert pair_accuracy(np.array([1.0, 2.0]), np.array([3.0, 3.0])) is None
