"""Exact k-NN: level with the file whoever wrote it, exact among equals, right with many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from domain.errors import NotFound
from domain.items import Removal
from domain.search import Exists, Not, Query, QueryVector, Term
from domain.vectors import Array, unit
from domain.versions import pending
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from plugin.embedded.vectors import VectorCache
from tests import tiny_world as tiny
from tests.contracts.engine_base import ids
from tests.unit.embedded.conftest import GENERATION


def random_vectors(count: int, seed: int = 5) -> Array:
    return unit(np.random.default_rng(seed).standard_normal((count, 128)).astype(np.float32))


def test_another_process_writes_and_we_see_it(engine: EmbeddedEngine, database: Database) -> None:
    # Two engines share the file and nothing else, as two processes do.
    other = EmbeddedEngine(Database(database.path))
    scope, query = tiny.scope(), tiny.by_vector()
    assert ids(engine.search(GENERATION, scope, query)) == []
    other.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key("a")), tiny.tilted(0.5))])
    assert ids(engine.search(GENERATION, scope, query)) == ["a"]
    other.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key("b")), tiny.tilted(0.6))])
    assert ids(engine.search(GENERATION, scope, query)) == ["b", "a"]
    other.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key("a"), 2), tiny.tilted(0.7))])
    assert ids(engine.search(GENERATION, scope, query)) == ["a", "b"]
    other.write(GENERATION, [pending(Removal(tiny.key("a"), 3), 1.0), pending(tiny.listing(tiny.key("b"), 2), 1.0)])
    assert ids(engine.search(GENERATION, scope, query)) == []


def test_vectors_of_a_dropped_generation_leave_memory(engine: EmbeddedEngine, database: Database) -> None:
    generations = EmbeddedGenerations(database)
    vectors = VectorCache()

    def compare(name: str) -> None:
        with database.reading() as connection:
            vectors.compare(connection, name, tiny.NORTH, QueryVector(tiny.axis(0), tiny.SPACE))

    for number in range(4):
        generations.create(tiny.generation(f"next-{number}"))
        engine.write(f"next-{number}", [tiny.with_vector(tiny.listing(tiny.key("a")))])
        compare(f"next-{number}")
        generations.drop(f"next-{number}")
    compare(GENERATION)
    assert vectors.held() == [GENERATION]
    generations.drop(GENERATION)
    with pytest.raises(NotFound):
        compare(GENERATION)
    assert vectors.held() == []


@pytest.mark.parametrize("tenants", [1, 3, 12])
def test_the_nearest_are_those_of_a_full_comparison(engine: EmbeddedEngine, tenants: int) -> None:
    vectors = random_vectors(3_000)
    names = [f"item-{number:04}" for number in range(len(vectors))]
    for start in range(0, len(vectors), 500):
        engine.write(
            GENERATION,
            [
                tiny.with_vector(tiny.listing(tiny.key(names[row], f"tenant-{row % tenants}")), vectors[row])
                for row in range(start, start + 500)
            ],
        )
    query = random_vectors(1, seed=6)[0]
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    mine = [row for row in np.argsort(-exact) if row % tenants == 0]
    found = engine.search(GENERATION, tiny.scope("tenant-0"), tiny.by_vector(query, limit=100))
    assert ids(found) == [names[row] for row in mine[:100]]
    assert [one.score for one in found] == pytest.approx([exact[row] for row in mine[:100]], abs=1e-7)


def test_among_equals_at_the_cut_the_first_ids_are_kept(engine: EmbeddedEngine) -> None:
    # A matrix product works in blocks; the ninth of nine equal rows can differ from the others in the last digit.
    vector = random_vectors(1)[0]
    names = [f"item-{number}" for number in range(9)]
    engine.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key(name)), vector) for name in reversed(names)])
    for query in random_vectors(20, seed=9):
        for limit in (1, 5, 8):
            found = engine.search(GENERATION, tiny.scope(), tiny.by_vector(query, limit=limit))
            assert ids(found) == names[:limit]
            assert len({one.score for one in found}) == 1


def test_filters_and_audiences_keep_exactly_theirs(engine: EmbeddedEngine) -> None:
    vectors = random_vectors(600)
    items = [
        tiny.listing(
            tiny.key(f"item-{row:03}"),
            1,
            filters={"make": (f"make-{row % 7}",)} | ({"electric": (True,)} if row % 3 == 0 else {}),
            audience=("staff",) if row % 5 == 0 else ("*",),
        )
        for row in range(600)
    ]
    engine.write(GENERATION, [tiny.with_vector(item, row) for item, row in zip(items, vectors, strict=True)])
    filters = (Not(Term("make", "make-2")), Exists("electric"))
    excluded = ("item-003", "item-006", "item-015")
    order = [int(row) for row in np.argsort(-(vectors.astype(np.float64) @ vectors[0].astype(np.float64)))]
    kept = [row for row in order if row % 7 != 2 and row % 3 == 0 and f"item-{row:03}" not in excluded]
    for groups, seen in ((), [row for row in kept if row % 5]), (("staff",), kept):
        query = tiny.by_vector(vectors[0], filters=filters, exclude=excluded, limit=50)
        found = engine.search(GENERATION, tiny.scope(tiny.NORTH, *groups), query)
        assert ids(found) == [f"item-{row:03}" for row in seen[:50]]


def test_searches_stay_right_while_others_write(engine: EmbeddedEngine, database: Database) -> None:
    # Every item always has the vector of its revision: 0.1 for odd ones, 0.9 for even ones.
    keys = [tiny.key(f"item-{number}") for number in range(8)]
    stop = threading.Event()

    def write() -> None:
        own = EmbeddedEngine(Database(database.path))
        for revision in range(1, 60):
            vector = tiny.tilted(0.9 if revision % 2 == 0 else 0.1)
            own.write(GENERATION, [tiny.with_vector(tiny.listing(key, revision), vector) for key in keys])
        stop.set()

    def search() -> int:
        count = 0
        while not stop.is_set():
            for query in (tiny.by_vector(), tiny.by_vector(text="plain", limit=8), Query("car")):
                found = engine.search(GENERATION, tiny.scope(), query)
                revisions = {one.item.revision for one in found}
                # One transaction writes all eight, so an answer never mixes revisions.
                assert len(revisions) <= 1
                assert len(found) in (0, 8)
                for one in found:
                    assert one.vector is not None
                    assert one.vector.tobytes() == tiny.tilted(0.9 if one.item.revision % 2 == 0 else 0.1).tobytes()
                count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(3)]
        pool.submit(write).result(120)
        assert min(one.result(120) for one in searches) > 0
