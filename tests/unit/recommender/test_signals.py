"""Signals are read of candidate and history alone, each as its name says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from domain.items import Item, ItemKey
from domain.search import Candidate
from domain.vectors import Array
from recommender.neighbour_file import NeighbourTables
from recommender.neighbours import SIGNALS, Interactions, find_neighbours
from recommender.signals import read_signals

IDS = ("a", "b", "c")
TABLES = NeighbourTables({("t", "article"): find_neighbours(IDS, Interactions.of([[0, 1], [0, 1], [2]], 3))})


def candidate(id_: str, views: float = 7.0, tenant: str = "t") -> Candidate:
    item = Item(ItemKey(tenant, "article", id_), 1, texts={"title": id_}, signals={"views": views})
    return Candidate(item, 0.5, 4)


def read(names: Sequence[str], given: Sequence[Candidate], history: Sequence[str] = ()) -> Array:
    return read_signals(names, TABLES, given, history)


def test_columns_stand_in_the_order_of_the_names() -> None:
    found = read(["views", "absent", "neighbours.history"], [candidate("a"), candidate("b", 3.0)], ["a"])
    assert found.tolist() == [pytest.approx([7, 0, np.log1p(1)]), pytest.approx([3, 0, np.log1p(1)])]


def test_neighbours_are_those_of_the_candidates_tenant() -> None:
    names = ("neighbours.known", "neighbours.history")
    own = read(names, [candidate("b"), candidate("c")], ["a", "unknown"])
    assert own.tolist() == [pytest.approx([1, np.log1p(1)]), pytest.approx([own[1, 0], np.log1p(1)])]
    assert not read(names, [candidate("b", tenant="other")], ["a"]).any()


def test_a_batch_equals_singles_and_nothing_gives_nothing() -> None:
    given = [candidate("a"), candidate("b", 2.0), candidate("x", 0.0)]
    names = (*SIGNALS, "views")
    batch = read(names, given, ["a"])
    for row, one in enumerate(given):
        np.testing.assert_array_equal(read(names, [one], ["a"])[0], batch[row])
    assert read(names, [], ["a"]).shape == (0, len(names))
