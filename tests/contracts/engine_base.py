"""What every part of the engine contract stands on: two generations, a tenant of one's own, and comparisons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from domain.items import Change
from domain.ports import Generations, SearchEngine
from domain.search import Candidate
from domain.versions import Creation, ItemOutcome, Outcome, StoredItem
from tests import tiny_world as tiny

_TENANTS = itertools.count(1)


class EngineBase:
    """Subclasses supply the fixtures `engine` and `generations`, of class scope or wider."""

    @pytest.fixture(scope="class")
    @classmethod
    def scratch(cls, generations: Generations) -> Iterator[str]:
        """An empty generation to write into; every test takes a tenant of its own."""
        made = tiny.generation()
        generations.create(made)
        yield made.name
        generations.drop(made.name)

    @pytest.fixture(scope="class")
    @classmethod
    def filled(cls, engine: SearchEngine, generations: Generations) -> Iterator[str]:
        """The tiny catalogue, refreshed; for reading only."""
        made = tiny.generation()
        generations.create(made)
        for batch in tiny.catalogue():
            assert {one.outcome for one in engine.write(made.name, batch)} == {Outcome.WRITTEN}
        engine.refresh(made.name)
        yield made.name
        generations.drop(made.name)

    @pytest.fixture
    def tenant(self) -> str:
        """A tenant that no other test has."""
        return fresh_tenant()


def fresh_tenant() -> str:
    """A tenant that no other test has, for examples within one test too."""
    return f"tenant-{next(_TENANTS)}"


def write(engine: SearchEngine, generation: str, *items: StoredItem, creation: Creation = Creation.ALLOWED) -> Outcome:
    """Write one item, or several with the same outcome; that outcome."""
    outcomes = {one.outcome for one in engine.write(generation, items, creation)}
    assert len(outcomes) == 1
    return outcomes.pop()


def stored(engine: SearchEngine, generation: str, change: Change) -> StoredItem:
    """What is stored under the key of the change."""
    return engine.read(generation, [change.key])[change.key]


def same(one: StoredItem, other: StoredItem) -> bool:
    """Whether two stored items are equal in every field, vectors bit for bit."""
    return plain(one) == plain(other)


def plain(one: StoredItem) -> tuple[object, ...]:
    """The stored item as something that compares with ==."""
    vector = None if one.vector is None else (one.vector.dtype, one.vector.shape, one.vector.tobytes())
    return (one.change, one.phase, one.vector_state, vector, one.space, one.inputs_hash, one.written_at, one.repaired)


def ids(found: Sequence[Candidate]) -> list[str]:
    """The ids, in order."""
    return [candidate.key.id for candidate in found]


def words(outcomes: Sequence[ItemOutcome]) -> list[str]:
    """The outcomes as words, in order."""
    return [one.outcome.value for one in outcomes]


def bits(vector: object) -> bytes:
    """The vector's float32 bytes."""
    return np.asarray(vector, dtype="<f4").tobytes()
