"""Items on a plane."""

from __future__ import annotations

import numpy as np
import pytest

from domain.items import Item, ItemKey
from domain.vectors import Array
from recommender.evaluation.item_map import NAMED, SAMPLE, map_items


def item(number: int, **categories: tuple[str, ...]) -> Item:
    return Item(ItemKey("t", "listing", f"i{number}"), 0, texts={"title": f"item {number}"}, categories=categories)


def line(count: int) -> Array:
    """Vectors along two axes, the first three times as long."""
    vectors = np.zeros((count, 128), np.float32)
    vectors[:, 5] = 3 * np.linspace(-1, 1, count)
    vectors[:, 9] = np.linspace(-1, 1, count) ** 2
    return vectors


def test_the_axes_that_hold_most_are_shown() -> None:
    vectors = line(50)
    found = map_items([item(number) for number in range(50)], vectors, "title")
    assert found.shown == pytest.approx(1.0)
    np.testing.assert_allclose(found.points[:, 0], vectors[:, 5], atol=1e-4)
    np.testing.assert_allclose(found.points[:, 1], vectors[:, 9] - vectors[:, 9].mean(), atol=1e-4)


def test_the_field_that_tells_most_is_chosen_and_one_that_all_share_is_not() -> None:
    groups = [
        item(number, same=("yes",), rare=(f"r{number}",), make=("fiat",) if number % 2 else ("bmw",))
        for number in range(40)
    ]
    few = [item(100 + number) for number in range(5)]
    found = map_items([*groups, *few], line(45), "title")
    assert (found.field, list(found.named)) == ("make", ["bmw", "fiat"])
    assert list(found.values) == ["bmw", "fiat"] * 20 + [""] * 5
    assert found.titles[0] == "item 0"


def test_without_categories_nothing_is_named_and_many_items_are_sampled() -> None:
    found = map_items([item(number) for number in range(SAMPLE + 100)], line(SAMPLE + 100), "title")
    assert (found.field, list(found.named), set(found.values)) == ("", [], {""})
    assert found.points.shape == (SAMPLE, 2)


def test_no_more_values_are_named_than_there_are_colours() -> None:
    found = map_items([item(number, make=(f"m{number % 20}",)) for number in range(60)], line(60), "title")
    assert len(found.named) == NAMED
    assert "" in found.values
