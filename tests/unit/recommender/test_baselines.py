"""Baselines on cases that can be worked out by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from domain.vectors import Array
from recommender.evaluation.baselines import (
    RIDGES,
    Ranker,
    content_knn,
    from_weights,
    popularity,
    tf_idf,
    tuned_ease,
)
from recommender.neighbours import Interactions, ease

PAIRS = Interactions.of([[0, 1], [0, 2], [0, 1, 1]], 4)


def vectors(*rows: list[float]) -> Array:
    return np.array(rows, np.float32)


def test_popularity_counts_people_once() -> None:
    assert popularity(PAIRS)([3]).tolist() == [3, 2, 1, 0]


def test_weights_are_summed_over_the_history() -> None:
    weights = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert from_weights(weights)([1, 3]).tolist() == [4 + 12, 5 + 13, 6 + 14, 7 + 15]
    assert from_weights(weights)([]).tolist() == [0, 0, 0, 0]


def test_content_is_like_the_mean_or_like_the_nearest() -> None:
    items = vectors([1, 0], [0, 1], [0.6, 0.8])
    assert content_knn(items, most=False)([0, 1]).tolist() == pytest.approx([1 / 2, 1 / 2, (0.6 + 0.8) / 2])
    assert content_knn(items, most=True)([0, 1]).tolist() == pytest.approx([1, 1, 0.8])
    assert content_knn(items, most=True)([]).tolist() == [0, 0, 0]


def test_tf_idf_weighs_words_by_how_few_texts_have_them() -> None:
    found = tf_idf(["red red car", "red car", "car boat boat", "boat"], fewest=2)
    # Columns: red (2 of 4 texts), car (3 of 4), boat (2 of 4).
    red, car = 2 * log(5 / 3), log(5 / 4)
    assert found[0].tolist() == pytest.approx([red / sqrt(red**2 + car**2), car / sqrt(red**2 + car**2), 0])


def test_a_vocabulary_counts_only_what_may_be_seen() -> None:
    found = tf_idf(["red car", "red car", "hidden hidden"], [True, True, False], fewest=1)
    assert found.shape == (3, 2)
    assert not found[2].any()


def test_tuning_takes_the_ridge_that_is_judged_best() -> None:
    matrix = PAIRS.dense()
    wanted = from_weights(ease(matrix, RIDGES[2] * len(matrix) / 1_000))([0])

    def judge(ranker: Ranker) -> float:
        return -float(np.abs(ranker([0]) - wanted).sum())

    assert tuned_ease(PAIRS, judge) == RIDGES[2]
