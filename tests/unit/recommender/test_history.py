from __future__ import annotations

import json

import numpy as np

from recommender.history import HistoryRecipe

DAY = 86_400.0


def vectors(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.eye(128, dtype=np.float32)[:count]


def test_a_history_is_newest_first_with_scaled_ages() -> None:
    found = HistoryRecipe().build(vectors(3), ["view", "purchase", "click"], [3 * DAY, 1 * DAY, 2 * DAY])
    np.testing.assert_array_equal(found.items, vectors(3)[[1, 2, 0]])
    np.testing.assert_array_equal(found.weights, [4, 1, 1])
    np.testing.assert_allclose(found.ages, np.log([2, 3, 4]), rtol=1e-6)


def test_what_was_only_shown_is_left_out() -> None:
    found = HistoryRecipe().build(vectors(3), ["impression", "view", "impression"], [1, 2, 3])
    np.testing.assert_array_equal(found.items, vectors(3)[[1]])


def test_only_the_newest_are_kept_and_impressions_take_no_place() -> None:
    names = ["impression", "view", "click", "view"]
    found = HistoryRecipe(length=2).build(vectors(4), names, [1, 2, 3, 4])
    np.testing.assert_array_equal(found.items, vectors(4)[[1, 2]])


def test_an_unknown_action_counts_and_the_future_is_now() -> None:
    found = HistoryRecipe().build(vectors(1), ["stroked"], [-5.0])
    assert found.weights.tolist() == [1]
    assert found.ages.tolist() == [0]


def test_nobody_has_an_empty_history() -> None:
    found = HistoryRecipe().build(np.zeros((0, 128), np.float32), [], [])
    assert found.items.shape == (0, 128)
    assert found.weights.shape == found.ages.shape == (0,)


def test_a_recipe_survives_json() -> None:
    recipe = HistoryRecipe(length=7, weights={"view": 2.0}, other=0.5)
    assert HistoryRecipe.from_document(json.loads(json.dumps(recipe.to_document()))) == recipe
