"""Stored items as rows, and what a generation refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from domain.errors import InvalidItem
from domain.items import Item, ItemKey, Removal
from domain.vectors import Array
from domain.versions import pending
from plugin.embedded.documents import candidate, to_rows
from tests import tiny_world as tiny


def test_an_item_becomes_rows() -> None:
    item = tiny.item(tiny.key("car-2"), 1, tiny.CARS[tiny.NORTH]["car-2"])
    rows = to_rows(tiny.with_vector(item, tiny.axis(3)), tiny.generation())
    assert rows.texts == ("Blue city hatchback", "Short trips, red seats")
    # make 1, colour 2, price 3, electric 4, listed 5; the audience is 0.
    assert set(rows.filters) == {
        (0, "*"),
        (1, "fiat"),
        (2, "blue"),
        (2, "red"),
        (3, 4_500.0),
        (4, 0.0),
        (5, 2 * 86_400_000.0),
    }
    assert rows.everyone
    assert rows.vector == bytes(4 * 3) + np.float32(1).tobytes() + bytes(4 * (128 - 3 - 1))


def test_repeated_values_are_one_row() -> None:
    item = tiny.listing(tiny.key("a"), filters={"price": (5, 5.0), "make": ("x", "x")}, audience=("staff", "staff"))
    rows = to_rows(pending(item, 1.0), tiny.generation())
    assert sorted(rows.filters, key=str) == [(0, "staff"), (1, "x"), (3, 5.0)]
    assert not rows.everyone


def test_a_missing_text_is_no_text() -> None:
    rows = to_rows(pending(tiny.listing(tiny.key("a"), texts={"body": "x"}), 1.0), tiny.generation())
    assert rows.texts == (None, "x")


def test_a_tombstone_has_no_rows_but_its_own() -> None:
    rows = to_rows(pending(Removal(tiny.key("a"), 1), 1.0), tiny.generation())
    assert (rows.content, rows.vector, rows.texts, rows.filters, rows.everyone) == (None, None, (), (), False)


def test_a_tombstone_is_no_candidate() -> None:
    with pytest.raises(ValueError, match="tombstone"):
        candidate(pending(Removal(tiny.key("a"), 1), 1.0))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"texts": {"title": "x", "nowhere": "y"}}, "one of the text fields title, body, got nowhere"),
        ({"filters": {"nowhere": ("y",)}}, "got nowhere"),
        ({"filters": {"price": ("cheap",)}}, "field price to be a number, got 'cheap'"),
        ({"filters": {"price": (True,)}}, "field price to be a number, got True"),
        ({"filters": {"price": (math.inf,)}}, "field price to be a number, got inf"),
        ({"filters": {"price": (10**400,)}}, "field price"),
        ({"filters": {"make": (5,)}}, "field make to be a keyword"),
        ({"filters": {"electric": ("yes",)}}, "field electric to be a boolean"),
        ({"filters": {"electric": (1.0,)}}, "field electric to be a boolean"),
        ({"filters": {"listed": ("2026-01-31",)}}, "field listed to be a date"),
        ({"numbers": {"price": math.nan}}, "JSON"),
        ({"signals": {"views": -math.inf}}, "JSON"),
        ({"texts": {"title": "half \ud83d"}}, "surrogates"),
        ({"audience": ("staff \udc00",)}, "surrogates"),
    ],
)
def test_what_cannot_be_held_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    item = tiny.listing(tiny.key("a"), 1, **fields)
    with pytest.raises(InvalidItem) as refused:
        to_rows(pending(item, 1.0), tiny.generation())
    assert reason in str(refused.value)
    assert str(item.key) in refused.value.place


@pytest.mark.parametrize(
    "vector", [np.ones(127, np.float32), np.ones((1, 128), np.float32), np.full(128, np.nan, np.float32)]
)
def test_a_wrong_vector_is_refused(vector: Array) -> None:
    with pytest.raises(InvalidItem, match="128 finite numbers"):
        to_rows(tiny.with_vector(tiny.listing(tiny.key("a")), vector), tiny.generation())


def test_a_vector_of_another_space_is_refused() -> None:
    with pytest.raises(InvalidItem, match="expected a vector of space space-one, got one of space space-two"):
        to_rows(tiny.with_vector(tiny.listing(tiny.key("a")), space=tiny.OTHER_SPACE), tiny.generation())


def test_another_kind_is_refused() -> None:
    for change in (Item(ItemKey("north", "article", "a"), 1), Removal(ItemKey("north", "article", "a"), 1)):
        with pytest.raises(InvalidItem, match="expected kind listing, got article"):
            to_rows(pending(change, 1.0), tiny.generation())
