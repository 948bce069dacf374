"""Draining: poison is parked alone, back-pressure costs nothing, the queue may forget."""

from __future__ import annotations

from domain.versions import VectorState
from domain.work import MAX_ATTEMPTS_ALONE, Lane
from indexer.reconcile import requeue_pending
from plugin.queues.in_process import InProcessQueue
from tests.indexer.conftest import House, item
from tests.support.toy_embedder import ToyEmbedder


def drain_until_quiet(house: House) -> int:
    parked = 0
    for _ in range(200):
        parked += house.drainer.drain(Lane.LIVE, 5).parked
        depth = house.queue.depth(Lane.LIVE)
        if depth.waiting + depth.in_flight == 0:
            return parked
        house.clock.now += 10
    raise AssertionError("the queue never emptied")


def test_poison_is_parked_and_its_neighbours_get_their_vectors(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    good = [item(number) for number in range(1, 8)]
    house.live.apply([*good, item(9, title="poison")])
    assert drain_until_quiet(house) == 1
    stored = house.engine.read("listing-g1", [one.key for one in good])
    assert {one.vector_state for one in stored.values()} == {VectorState.READY}
    [parked] = house.parked.all()
    assert parked.work.key.id == "i9"
    assert parked.attempts >= MAX_ATTEMPTS_ALONE
    assert "cannot embed poison" in parked.error


def test_a_newer_revision_frees_what_was_parked(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(9, title="poison")])
    drain_until_quiet(house)
    house.live.apply([item(9, 2, title="mended")])
    assert drain_until_quiet(house) == 0
    assert house.parked.all() == []
    assert house.engine.read("listing-g1", [item(9).key])[item(9).key].vector_state is VectorState.READY


def test_losing_the_queue_loses_nothing(house: House) -> None:
    house.begin()
    house.live.apply([item(number) for number in range(20)])
    house.take_queue(InProcessQueue(clock=house.clock))
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 0
    house.clock.now += 61
    assert requeue_pending(house.engine, house.queue, house.parked, "listing-g1", clock=house.clock) == 20
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 20


def test_reconcile_leaves_young_and_parked_items_alone(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(9, title="poison")])
    drain_until_quiet(house)
    house.live.apply([item(1)])
    house.drainer.drain(Lane.LIVE, 5)
    house.live.apply([item(2)])
    house.take_queue(InProcessQueue(clock=house.clock))
    assert requeue_pending(house.engine, house.queue, house.parked, "listing-g1", clock=house.clock) == 0


def test_work_for_a_dropped_generation_ends(house: House) -> None:
    house.begin()
    house.live.apply([item(1)])
    house.generations.drop("listing-g1")
    assert house.drainer.drain(Lane.LIVE, 5).stale == 1
    assert house.queue.depth(Lane.LIVE).in_flight == 0
