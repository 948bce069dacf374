"""What the processes of test_processes.py do: `python -m tests.unit.embedded.process <task> <file> ...`."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path

from domain.items import Item
from domain.search import Query, Term
from domain.versions import Creation, Outcome, pending
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from tests import tiny_world as tiny

GENERATION = "listing-g1"
#: Items that one step writes, and how many different sets of them there are.
BATCH = 20
SETS = 5


def of_step(step: int) -> list[Item]:
    """The items of one step; its number is their revision and a word of their texts."""
    return [
        tiny.listing(
            tiny.key(f"item-{step % SETS}-{number:02}"),
            step,
            f"Shared wording step{step}",
            filters={"price": (float(step),)},
        )
        for number in range(BATCH)
    ]


def write_on(path: Path, start: str) -> None:
    """Write step after step, each told on stdout once it is acknowledged, until killed."""
    database = Database(path)
    engine, generations = EmbeddedEngine(database), EmbeddedGenerations(database)
    generations.create(tiny.generation(GENERATION))
    for step in itertools.count(int(start)):
        items = of_step(step)
        outcomes = engine.write(GENERATION, [pending(item, 1.0) for item in items])
        ready = [tiny.with_vector(item, tiny.tilted(1 / (step + 1))) for item in items]
        outcomes += engine.write(GENERATION, ready, Creation.FORBIDDEN)
        assert {one.outcome for one in outcomes} == {Outcome.WRITTEN}
        # A second generation comes and goes, so that a kill can also hit tables being made and dropped.
        side = tiny.generation("side")
        generations.create(side)
        engine.write(side.name, [pending(items[0], 1.0)])
        generations.drop(side.name)
        print(step, flush=True)


def read_on(path: Path) -> None:
    """Search until stdin ends; every answer must fit together. Tells the number of searches."""
    engine = EmbeddedEngine(Database(path))
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    searches = 0
    while not stop.is_set():
        for query in (Query("shared", limit=200), tiny.by_vector(limit=200), tiny.by_vector(text="shared", limit=200)):
            found = engine.search(GENERATION, tiny.scope(), query)
            for one in found:
                step = one.item.revision
                assert one.item.texts["title"].endswith(f"step{step}")
                assert one.item.filters["price"] == (float(step),)
                assert one.vector is None or one.vector.tobytes() == tiny.tilted(1 / (step + 1)).tobytes()
            searches += 1
            if found:
                step = found[0].item.revision
                of_price = engine.search(GENERATION, tiny.scope(), Query(filters=(Term("price", step),), limit=200))
                # Whole steps only: a transaction is there or it is not.
                assert len(of_price) in (0, BATCH)
    print(searches, flush=True)


def write_some(path: Path, name: str, count: str) -> None:
    """Make the file if it is not there, and write items one by one."""
    database = Database(path)
    engine = EmbeddedEngine(database)
    EmbeddedGenerations(database).create(tiny.generation(GENERATION))
    for number in range(int(count)):
        item = tiny.listing(tiny.key(f"{name}-{number}"))
        (outcome,) = engine.write(GENERATION, [tiny.with_vector(item)])
        assert outcome.outcome is Outcome.WRITTEN
    print(count, flush=True)


def write_much(path: Path) -> None:
    """Write large batches without a pause until killed."""
    engine = EmbeddedEngine(Database(path))
    for revision in itertools.count(1):
        batch = [pending(tiny.listing(tiny.key(f"bulk-{number}"), revision), 1.0) for number in range(2_000)]
        engine.write(GENERATION, batch)
        print(revision, flush=True)


def fork(path: Path) -> None:
    """Fork with connections of two threads open, neither of them at work; parent and children must all go on."""
    database = Database(path)
    engine = EmbeddedEngine(database)
    EmbeddedGenerations(database).create(tiny.generation(GENERATION))
    engine.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key("before")))])
    stop, searched = threading.Event(), threading.Event()

    def search() -> None:
        engine.search(GENERATION, tiny.scope(), tiny.by_vector(text="car"))
        searched.set()
        stop.wait()
        engine.search(GENERATION, tiny.scope(), tiny.by_vector(text="car"))

    thread = threading.Thread(target=search)
    thread.start()
    searched.wait()
    children = []
    for number in range(10):
        child = os.fork()
        if child == 0:
            engine.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key(f"child-{number}")))])
            found = engine.search(GENERATION, tiny.scope(), tiny.by_vector(limit=50))
            os._exit(0 if f"child-{number}" in [one.key.id for one in found] else 1)
        children.append(child)
        engine.write(GENERATION, [tiny.with_vector(tiny.listing(tiny.key(f"parent-{number}")))])
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stop.set()
    thread.join()
    assert codes == [0] * 10, codes
    print(len(engine.search(GENERATION, tiny.scope(), tiny.by_vector(limit=50))), flush=True)


if __name__ == "__main__":
    tasks = {task.__name__: task for task in (write_on, read_on, write_some, write_much, fork)}
    tasks[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
