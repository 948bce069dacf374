"""What is the embedded engine's own, beside the contract."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from domain.errors import NotFound
from domain.search import Query
from domain.versions import StoredItem, pending
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from tests import tiny_world as tiny
from tests.contracts.engine_base import ids
from tests.unit.embedded.conftest import GENERATION


class DroppedMeanwhile(list[StoredItem]):
    """Items; taking the second batch of them drops the generation, as another process may do."""

    generations: EmbeddedGenerations

    def __getitem__(self, batch: Any) -> Any:
        if batch.start:
            self.generations.drop(GENERATION)
        return super().__getitem__(batch)


def test_a_generation_dropped_during_a_long_write_stays_dropped(engine: EmbeddedEngine, database: Database) -> None:
    items = DroppedMeanwhile(pending(tiny.listing(tiny.key(f"item-{number}")), 1.0) for number in range(600))
    items.generations = EmbeddedGenerations(database)
    with pytest.raises(NotFound, match="dropped meanwhile"):
        engine.write(GENERATION, items)
    assert items.generations.all() == []
    connection = sqlite3.connect(database.path)
    left = connection.execute("SELECT name FROM sqlite_master WHERE tbl_name GLOB '*_[0-9]*'").fetchall()
    connection.close()
    assert left == []


def test_everything_is_there_after_a_restart(engine: EmbeddedEngine, database: Database) -> None:
    for batch in tiny.catalogue():
        engine.write(GENERATION, batch)
    query = tiny.by_vector(text="red", limit=50)
    before = [(one.key, one.score) for one in engine.search(GENERATION, tiny.scope(), query)]
    database.close()
    again = EmbeddedEngine(Database(database.path))
    assert [(one.key, one.score) for one in again.search(GENERATION, tiny.scope(), query)] == before
    assert len(before) == len(tiny.NEAREST)


def test_a_write_is_searchable_without_a_refresh(engine: EmbeddedEngine) -> None:
    engine.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key("a"), title="Red car"))])
    for query in (Query("red"), tiny.by_vector(), Query()):
        assert ids(engine.search(GENERATION, tiny.scope(), query)) == ["a"]


@pytest.mark.parametrize("stored", ["Zürich", "Zu\u0308rich"])
@pytest.mark.parametrize("asked", ["Zürich", "Zu\u0308rich", "zurich"])
def test_composed_and_decomposed_letters_are_the_same(engine: EmbeddedEngine, stored: str, asked: str) -> None:
    engine.write(GENERATION, [pending(tiny.listing(tiny.key("a"), title=stored), 1.0)])
    assert ids(engine.search(GENERATION, tiny.scope(), Query(asked))) == ["a"]


def test_a_kind_without_text_fields_can_be_searched_by_vector(engine: EmbeddedEngine, database: Database) -> None:
    EmbeddedGenerations(database).create(tiny.generation("bare", text_weights={}))
    engine.write("bare", [tiny.with_vector(tiny.listing(tiny.key("a"), texts={}))])
    assert ids(engine.search("bare", tiny.scope(), tiny.by_vector(text="red"))) == ["a"]
    assert engine.search("bare", tiny.scope(), Query("red")) == []
