"""Signals are computed from candidate, query and history alone, each as its name says."""

from __future__ import annotations

import numpy as np
import pytest

from domain.items import Item, ItemKey
from domain.search import Candidate
from recommender.neighbour_file import NeighbourTables
from recommender.neighbours import Interactions, find_neighbours
from recommender.schema import FeatureSchema
from recommender.signals import COMPUTED, SignalReader, words
from tests.unit.recommender.mini import KINDS

IDS = ("a", "b", "c")


def candidate(id_: str, title: str, body: str = "", tenant: str = "t") -> Candidate:
    texts = {"title": title, "body": body}
    return Candidate(Item(ItemKey(tenant, "article", id_), 1, texts=texts, signals={"views": 7.0}), 0.5, 4)


def reader(*names: str) -> SignalReader:
    tables = NeighbourTables({("t", "article"): find_neighbours(IDS, Interactions.of([[0, 1], [0, 1], [2]], 3))})
    return SignalReader(names, FeatureSchema.of(KINDS, {}), tables)


def test_columns_stand_in_the_order_of_the_names() -> None:
    found = reader("views", "absent", "engine.score").read([candidate("a", "One"), candidate("b", "Two")], [0.25, 1.0])
    assert found.tolist() == [[7.0, 0.0, 0.25], [7.0, 0.0, 1.0]]


def test_overlaps_are_shares_of_words() -> None:
    names = ("query.in_title", "query.of_title", "query.in_text", "query.is_title")
    given = [candidate("a", "Ridley's Alien", "A ship in space"), candidate("b", "Alien Space")]
    found = reader(*names).read(given, [0, 0], text="alien space")
    # "ridley", "s", "alien": one of three words of the title, one of two of the query.
    assert found.tolist() == [pytest.approx([1 / 2, 1 / 3, 2 / 2, 0]), [1, 1, 1, 1]]
    assert not reader(*names).read(given, [0, 0]).any()
    assert not reader(*names).read(given, [0, 0], text="?!").any()


def test_words_are_folded_as_the_engines_fold_them() -> None:
    assert words("Amélie's FAÇADE_2") == ["amelie", "s", "facade", "2"]


def test_neighbours_are_those_of_the_candidates_tenant() -> None:
    names = ("neighbours.known", "neighbours.history")
    own = reader(*names).read([candidate("b", "Two"), candidate("c", "Three")], [0, 0], history=["a", "unknown"])
    assert own.tolist() == [pytest.approx([1, np.log1p(1)]), pytest.approx([own[1, 0], np.log1p(1)])]
    assert not reader(*names).read([candidate("b", "Two", tenant="other")], [0], history=["a"]).any()


def test_a_batch_equals_singles_and_nothing_gives_nothing() -> None:
    given = [candidate("a", "Alien"), candidate("b", "Aliens of space"), candidate("x", "")]
    all_of_them = reader(*COMPUTED, "views")
    batch = all_of_them.read(given, [0.0, 0.5, 1.0], "alien", ["a"])
    for row, (one, engine) in enumerate(zip(given, (0.0, 0.5, 1.0), strict=True)):
        np.testing.assert_array_equal(all_of_them.read([one], [engine], "alien", ["a"])[0], batch[row])
    assert all_of_them.read([], [], "alien", ["a"]).shape == (0, len(COMPUTED) + 1)
