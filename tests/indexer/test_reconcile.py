"""Reconcile: bounded, quiet when the workers have plenty, and one broken kind costs no other its turn."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.items import Item, ItemKey, Removal
from domain.ports import ItemEmbedder
from domain.releases import Generation
from domain.search import Query, QueryVector, Scope
from domain.versions import Outcome, VectorState, pending, ready, repaired
from domain.work import Lane, ParkedItem, Task, WorkKey
from indexer.reconcile import ENOUGH, PAGE, requeue_foreign, requeue_pending
from indexer.releases import begin, finish
from indexer.tombstones import HORIZON
from plugin.embedded.database import Database
from plugin.queues.in_process import InProcessQueue
from sidetower.config import load_config
from sidetower.embedding import embed_pending, embed_until, reconcile
from sidetower.parts import Parts
from tests.indexer.conftest import House, item
from tests.support.spaces import respace_embedded
from tests.support.toy_embedder import ToyEmbedder

CONFIG = """
[kinds.listing]
id = "id"
text = { title = 3.0 }

[kinds.article]
id = "id"
text = { title = 3.0 }
"""


def requeue(house: House, seconds: float = 60.0) -> int:
    return requeue_pending(
        house.engine, house.queue, house.parked, "listing-g1", older_than=0, seconds=seconds, clock=house.clock
    )


def test_a_full_queue_ends_a_call_without_an_error_and_the_next_one_goes_on(house: House) -> None:
    house.begin()
    count = 2 * PAGE
    house.engine.write("listing-g1", [pending(item(number), 1.0) for number in range(count)])
    house.take_queue(InProcessQueue(bound=PAGE, clock=house.clock))
    embedded = 0
    for _ in range(2):
        assert requeue(house) == PAGE
        embedded += house.drainer.drain(Lane.LIVE, 60).embedded
    assert embedded == count
    assert requeue(house) == 0


def test_a_call_ends_when_its_time_is_up(house: House) -> None:
    house.begin()
    house.live.apply([item(1)])
    house.take_queue(InProcessQueue(clock=house.clock))
    assert requeue(house, seconds=0.0) == 0
    assert requeue(house) == 1


def test_nothing_is_added_while_the_workers_have_enough(house: House) -> None:
    house.begin()
    house.live.apply([item(1)])
    house.take_queue(InProcessQueue(clock=house.clock))
    house.queue.add([Task(WorkKey(item(number).key, "other-g1"), 1) for number in range(ENOUGH)])
    assert requeue(house) == 0


def test_a_vector_of_another_space_is_replaced_by_a_right_one(house: House) -> None:
    house.begin()
    foreign, right = item(1, 5), item(2, 5)
    house.respace("listing-g1", "old")
    write_ready(house, ToyEmbedder("old"), foreign)
    house.respace("listing-g1", "toy")
    write_ready(house, house.embedder, right)
    house.engine.refresh("listing-g1")
    assert requeue_foreign(house.engine, house.queue, house.generation(), clock=house.clock) == 1
    assert house.vector_state(foreign.key) is VectorState.PENDING
    assert house.vector_state(right.key) is VectorState.READY
    assert house.drainer.drain(Lane.LIVE, 60).embedded == 1
    mended = house.engine.read("listing-g1", [foreign.key])[foreign.key]
    assert (mended.vector_state, mended.space, mended.version) == (VectorState.READY, "toy", 4 * 5 + 3)
    house.engine.refresh("listing-g1")
    assert requeue_foreign(house.engine, house.queue, house.generation(), clock=house.clock) == 0
    [vector] = house.embedder.embed([foreign])
    found = house.engine.search("listing-g1", Scope("a"), Query(vector=QueryVector(vector, "toy"), limit=5))
    assert [one.key.id for one in found] == ["i1", "i2"]


def test_a_revision_whose_repair_is_of_another_space_too_waits_for_the_next_one(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.begin()
    house.engine.write("listing-g1", [repaired(item(1, 5), 1.0)])
    write_ready(house, house.embedder, item(1, 5))
    house.respace("listing-g1", "new")
    house.engine.refresh("listing-g1")
    generation = replace(house.generation(), space="new")
    assert requeue_foreign(house.engine, house.queue, generation, clock=house.clock) == 0
    assert "a/listing/i1 in listing-g1 keeps a vector of space toy until its next revision" in caplog.text
    house.embedder = ToyEmbedder("new")
    house.live.apply([item(1, 6)])
    house.engine.refresh("listing-g1")
    assert requeue_foreign(house.engine, house.queue, generation, clock=house.clock) == 0
    assert house.vector_state(item(1).key) is VectorState.PENDING


def test_foreign_vectors_wait_while_the_workers_have_enough_or_the_time_is_up(house: House) -> None:
    house.begin()
    write_ready(house, house.embedder, item(1))
    house.respace("listing-g1", "new")
    house.engine.refresh("listing-g1")
    generation = replace(house.generation(), space="new")
    assert requeue_foreign(house.engine, house.queue, generation, seconds=0.0, clock=house.clock) == 0
    house.queue.add([Task(WorkKey(item(number).key, "other-g1"), 1) for number in range(ENOUGH)])
    assert requeue_foreign(house.engine, house.queue, generation, clock=house.clock) == 0
    house.take_queue(InProcessQueue(bound=0, clock=house.clock))
    assert requeue_foreign(house.engine, house.queue, generation, clock=house.clock) == 1
    assert house.vector_state(item(1).key) is VectorState.PENDING


def write_ready(house: House, embedder: ToyEmbedder, one: Item) -> None:
    [vector] = embedder.embed([one])
    made = ready(one, vector, space=embedder.space, inputs_hash=embedder.inputs_hash(one), written_at=1.0)
    assert [each.outcome for each in house.engine.write("listing-g1", [made])] == [Outcome.WRITTEN]


class ToyParts(Parts):
    """Parts whose bundle is a toy."""

    toy = ToyEmbedder(poison="poison")

    def embedder_of(self, generation: str) -> ItemEmbedder:
        return self.toy


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """An embedded engine with a generation of two kinds, both served."""
    (tmp_path / "sidetower.toml").write_text(CONFIG)
    made = ToyParts(load_config(tmp_path / "sidetower.toml", {}))
    for kind in ("listing", "article"):
        begin(made.releases, made.generations, Generation(f"{kind}-g1", kind, "toy", {"title": 3.0}), "bundle-1")
        finish(made.releases, kind)
    return made


def test_a_kind_whose_generation_is_gone_keeps_no_other_from_its_turn(parts: Parts) -> None:
    key = ItemKey("a", "listing", "i1")
    parts.engine.write("listing-g1", [pending(Item(key, 1, {"title": "red"}), 1.0)])
    parts.generations.drop("article-g1")
    assert reconcile(parts) == 1


def test_reconcile_forgets_removals_past_the_horizon(parts: Parts) -> None:
    old, young = (Removal(ItemKey("a", "article", name), 1) for name in ("old", "young"))
    now = time.time()
    removals = [pending(old, now - HORIZON - 60), pending(young, now - HORIZON + 3600)]
    parts.engine.write("article-g1", removals)
    assert reconcile(parts) == 0
    assert list(parts.engine.read("article-g1", [old.key, young.key])) == [young.key]


def test_reconcile_forgets_parked_items_that_are_settled(parts: Parts) -> None:
    works = [WorkKey(listing(name).key, "listing-g1") for name in ("gone", "waits")]
    parts.parked.park([ParkedItem(work, 1, 6, "cannot embed", 100.0) for work in works])
    parts.engine.write("listing-g1", [pending(listing("waits"), 1.0)])
    assert reconcile(parts) == 0
    assert [one.work for one in parts.parked.all()] == works[1:]


def test_reconcile_replaces_foreign_vectors(parts: Parts) -> None:
    one = listing("i1")
    [vector] = ToyEmbedder("toy").embed([one])
    parts.engine.write("listing-g1", [ready(one, vector, space="toy", inputs_hash="", written_at=1.0)])
    assert reconcile(parts) == 0
    respace_embedded(Database(parts.config.path / "engine.db"), "listing-g1", "new")
    assert reconcile(parts) == 1
    assert [stored.change for stored in parts.engine.scan("listing-g1", state=VectorState.PENDING)] == [one]


def test_reconcile_compares_generations(parts: Parts) -> None:
    parts.generations.create(Generation("listing-g2", "listing", "toy", {"title": 3.0}, created_at=2.0))
    held = parts.releases.get("listing")
    assert held is not None
    parts.releases.put(replace(held.release, writing=("listing-g1", "listing-g2")), held.token)
    one, gone = listing("i1"), Removal(ItemKey("a", "listing", "i2"), 1)
    parts.engine.write("listing-g1", [pending(one, 1.0)])
    parts.engine.write("listing-g2", [pending(gone, 1.0)])
    assert reconcile(parts) == 1
    for name in ("listing-g1", "listing-g2"):
        assert {key: stored.change for key, stored in parts.engine.read(name, [one.key, gone.key]).items()} == {
            one.key: one,
            gone.key: gone,
        }
    assert embed_pending(parts).embedded == 2
    # Once a pass has ended, the next one begins some minutes later.
    parts.engine.write("listing-g1", [pending(listing("i3"), 1.0)])
    reconcile(parts)
    assert parts.engine.read("listing-g2", [listing("i3").key]) == {}


def listing(name: str, title: str = "red") -> Item:
    return Item(ItemKey("a", "listing", name), 1, {"title": title})


@pytest.mark.slow
def test_embedding_what_is_pending_ends_when_all_is_embedded_or_parked(parts: Parts) -> None:
    items = [listing("i1"), listing("i2", "poison"), listing("i3")]
    parts.engine.write("listing-g1", [pending(one, 1.0) for one in items])
    report = embed_pending(parts)
    assert (report.embedded, report.parked, report.failed, report.paused) == (2, 1, 0, "")
    assert embed_pending(parts).embedded == 0


def test_the_loop_outlives_what_nobody_expected(parts: Parts) -> None:
    class Stumbling:
        """Breaks once."""

        stumbled = False

        def kinds(self) -> list[str]:
            if not self.stumbled:
                self.stumbled = True
                raise RuntimeError("a defect")
            return []

    stumbling = Stumbling()

    class StumblingParts(ToyParts):
        releases: Any = stumbling

    parts = StumblingParts(parts.config)
    parts.engine.write("listing-g1", [pending(listing("i1"), 1.0)])
    stop = threading.Event()
    loop = threading.Thread(target=embed_until, args=(parts, stop))
    loop.start()
    deadline = time.monotonic() + 30
    while not stumbling.stumbled and time.monotonic() < deadline:
        time.sleep(0.01)
    parts.queue.add([Task(WorkKey(listing("i1").key, "listing-g1"), 1)])
    while parts.engine.scan("listing-g1", state=VectorState.PENDING) and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    loop.join()
    assert parts.engine.scan("listing-g1", state=VectorState.PENDING) == []
