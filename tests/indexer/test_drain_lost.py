"""Draining while servers, leases and processes end: nothing is lost, nothing is blamed on the items."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import redis

from domain.errors import ConfigurationError, NotFound, SidetowerError
from domain.items import Item
from domain.ports import ItemEmbedder
from domain.vectors import Array
from domain.versions import Creation, VectorState, ready
from domain.work import MAX_ATTEMPTS_ALONE, Claim, Depth, Lane, Task, WorkKey
from indexer.drain import STEP, STEPS, WITHOUT_BUNDLE, Drainer
from indexer.held import LEASE, PAUSE
from indexer.reconcile import PENDING_AGE, requeue_pending
from plugin.queues.in_process import InProcessQueue
from tests.indexer.conftest import House, Stop, item
from tests.support.failing import AWAY, Failing
from tests.support.redis_server import running_redis
from tests.support.toy_embedder import ToyEmbedder

#: Tasks of a drainer's first claim.
BATCH = STEPS * STEP
FORBIDDEN = ConfigurationError("engine", expected="permission", got="403", fix="Check that user's roles.")


class Watched(ToyEmbedder):
    """Calls `meanwhile` before each step is embedded."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def embed(self, items: Sequence[Item]) -> Array:
        self._meanwhile()
        return super().embed(items)


def told(house: House, count: int) -> None:
    house.begin()
    house.live.apply([item(number) for number in range(count)])


def waiting(house: House) -> int:
    house.engine.refresh("listing-g1")
    return len(house.engine.scan("listing-g1", state=VectorState.PENDING))


def assert_never_tried(house: House, count: int) -> None:
    """Everything is due again after the pause, and no attempt stands against it."""
    house.clock.now += PAUSE
    claim = house.queue.claim(Lane.LIVE, 2 * BATCH, LEASE)
    assert claim is not None
    assert [(one.attempts, one.attempts_alone) for one in claim.tasks] == [(1, 0)] * count


def test_vectors_that_the_queue_was_not_told_of_are_counted_and_not_computed_again(house: House) -> None:
    told(house, STEP)
    queue = Failing(house.queue, done=AWAY, give_back=AWAY)
    report = Drainer(house.engine, queue, house.parked, lambda _: house.embedder, house.clock).drain(Lane.LIVE, 5)
    assert (report.embedded, report.failed, report.paused) == (STEP, 0, str(AWAY))
    assert house.queue.depth(Lane.LIVE).in_flight == STEP
    house.clock.now += LEASE
    assert house.drainer.drain(Lane.LIVE, 5).stale == STEP
    assert len(house.embedder.embedded) == STEP
    assert house.queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)


@pytest.mark.parametrize("call", ["claim", "extend"])
def test_a_queue_that_is_away_pauses_the_drain(house: House, call: str) -> None:
    told(house, 3)
    queue = Failing(house.queue, **{call: AWAY})
    report = Drainer(house.engine, queue, house.parked, lambda _: house.embedder, house.clock).drain(Lane.LIVE, 5)
    assert (report.embedded, report.paused) == (0, str(AWAY))
    assert_never_tried(house, 3)


@pytest.mark.parametrize("error", [AWAY, FORBIDDEN], ids=["away", "forbidden"])
@pytest.mark.parametrize("call", ["read", "write"])
def test_an_engine_that_fails_costs_no_attempt(house: House, call: str, error: SidetowerError) -> None:
    told(house, 20)
    engine = Failing(house.engine, **{call: error})
    drainer = Drainer(engine, house.queue, house.parked, lambda _: house.embedder, house.clock)
    for _ in range(2 * MAX_ATTEMPTS_ALONE):
        report = drainer.drain(Lane.LIVE, 5)
        assert (report.embedded, report.failed, report.parked, report.paused) == (0, 0, 0, str(error))
        house.clock.now += PAUSE
    assert_never_tried(house, 20)


@pytest.mark.parametrize("call", ["get", "park"])
def test_a_list_of_parked_items_that_is_away_pauses_the_drain(house: House, call: str) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(1, title="poison")])
    parked = Failing(house.parked, **{call: AWAY})
    drainer = Drainer(house.engine, house.queue, parked, lambda _: house.embedder, house.clock)
    for _ in range(2 * MAX_ATTEMPTS_ALONE):
        report = drainer.drain(Lane.LIVE, 5)
        assert report.parked == 0
        house.clock.now += PAUSE
    assert report.paused == str(AWAY)
    for _ in range(2 * MAX_ATTEMPTS_ALONE):
        house.drainer.drain(Lane.LIVE, 5)
        house.clock.now += PAUSE
    assert [one.work.key for one in house.parked.all()] == [item(1).key]


def test_a_slow_encoder_keeps_its_claim(house: House) -> None:
    others: list[object] = []

    def meanwhile() -> None:
        house.clock.now += 0.9 * LEASE
        others.append(house.queue.claim(Lane.LIVE, BATCH, LEASE))

    house.embedder = Watched(meanwhile)
    told(house, BATCH)
    report = house.drainer.drain(Lane.LIVE, 60)
    assert report.embedded == BATCH
    assert len(others) > 1
    assert set(others) == {None}


def test_whoever_lost_its_claim_stops(house: House) -> None:
    house.embedder = Watched(lambda: None)
    told(house, BATCH)
    claims: list[Claim | None] = []

    def meanwhile() -> None:
        if not claims:
            house.clock.now += LEASE
            claims.append(house.queue.claim(Lane.LIVE, BATCH, 10 * LEASE))
            claims.append(house.queue.claim(Lane.LIVE, BATCH, 10 * LEASE))

    first = Watched(meanwhile)
    report = Drainer(house.engine, house.queue, house.parked, lambda _: first, house.clock).drain(Lane.LIVE, 5)
    assert [len(claim.tasks) for claim in claims if claim] == [BATCH // 2, BATCH // 2]
    assert (report.embedded, len(first.embedded)) == (STEP, STEP)
    assert house.queue.depth(Lane.LIVE).in_flight == BATCH, "the claims of the others stand"


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, SystemExit])
def test_a_process_that_is_told_to_stop_gives_back_what_it_has(house: House, error: type[BaseException]) -> None:
    steps: list[int] = []

    def meanwhile() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise error

    house.embedder = Watched(meanwhile)
    told(house, 3 * STEP)
    with pytest.raises(error):
        house.drainer.drain(Lane.LIVE, 60)
    assert waiting(house) == 2 * STEP
    assert_never_tried(house, 2 * STEP)


def test_a_process_that_is_told_to_stop_stops_without_a_queue_too(house: House) -> None:
    def stop() -> None:
        raise Stop

    told(house, 1)
    drainer = Drainer(
        house.engine,
        Failing(house.queue, give_back=AWAY),
        house.parked,
        lambda _: Watched(stop),
        house.clock,
        interrupts=(Stop,),
    )
    with pytest.raises(Stop):
        drainer.drain(Lane.LIVE, 5)
    assert house.queue.depth(Lane.LIVE).in_flight == 1
    house.clock.now += LEASE
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 1


def test_time_that_is_up_ends_a_batch_after_its_step(house: House) -> None:
    house.embedder = Watched(lambda: time.sleep(0.3))
    told(house, BATCH)
    assert house.drainer.drain(Lane.LIVE, 0.25).embedded == STEP
    assert house.queue.depth(Lane.LIVE).waiting == BATCH - STEP
    assert house.drainer.drain(Lane.LIVE, 60).embedded == BATCH - STEP


def test_poison_costs_its_own_step_and_no_other(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    # The second step is twice as large as the first, because that one was quick.
    house.live.apply([*(item(number) for number in range(3 * STEP)), item(99, title="the longest text is poison")])
    report = house.drainer.drain(Lane.LIVE, 60)
    assert (report.embedded, report.failed) == (3 * STEP, 1)


def test_items_without_a_bundle_wait_for_one(house: House) -> None:
    told(house, 3)

    def absent(generation: str) -> ItemEmbedder:
        raise NotFound(generation, expected="a bundle", got="none", fix="Copy it.")

    report = Drainer(house.engine, house.queue, house.parked, absent, house.clock).drain(Lane.LIVE, 5)
    assert (report.without_bundle, report.stale, report.failed) == (3, 0, 0)
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 0, "not before its time"
    house.clock.now += WITHOUT_BUNDLE
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 3


def test_a_worker_killed_in_every_attempt_parks_what_still_waits_and_only_that(house: House) -> None:
    told(house, 2)
    for _ in range(4 * MAX_ATTEMPTS_ALONE):
        house.queue.claim(Lane.LIVE, BATCH, 1.0)
        house.clock.now += 2.0
    [vector] = house.embedder.embed([item(0)])
    written = ready(item(0), vector, space="toy", inputs_hash="x", written_at=1.0)
    house.engine.write("listing-g1", [written], Creation.FORBIDDEN)
    report = house.drainer.drain(Lane.LIVE, 5)
    assert (report.stale, report.parked, report.embedded) == (1, 1, 0)
    [parked] = house.parked.all()
    assert (parked.work.key, parked.error) == (item(1).key, "the worker ended in every attempt")


def test_the_same_revision_told_again_stays_parked(house: House) -> None:
    house.embedder = Watched(lambda: (_ for _ in ()).throw(ValueError("broken")))
    told(house, 1)
    for _ in range(2 * MAX_ATTEMPTS_ALONE):
        house.drainer.drain(Lane.LIVE, 5)
        house.clock.now += PAUSE
    assert len(house.parked.all()) == 1
    tries: list[int] = []
    house.embedder = Watched(lambda: tries.append(1))
    house.queue.add([Task(WorkKey(item(0).key, "listing-g1"), 1)])
    assert house.drainer.drain(Lane.LIVE, 5).stale == 1
    assert (tries, len(house.parked.all())) == ([], 1)


@pytest.mark.redis
def test_redis_that_ends_in_the_middle_of_a_batch_costs_one_line(house: House, redis_url: str, tmp_path: Path) -> None:
    from plugin.queues.redis_queue import RedisQueue

    with running_redis(tmp_path) as url:
        house.embedder = Watched(lambda: redis.Redis.from_url(url).shutdown(nosave=True))
        house.take_queue(RedisQueue(url))
        told(house, 2 * STEP)
        report = house.drainer.drain(Lane.LIVE, 60)
    assert (report.embedded, report.failed) == (STEP, 0)
    assert report.paused.startswith("Redis at ")
    house.embedder = ToyEmbedder()
    house.take_queue(InProcessQueue(clock=house.clock))
    house.clock.now += PENDING_AGE
    args = (house.engine, house.queue, house.parked, "listing-g1")
    assert requeue_pending(*args, clock=house.clock) == STEP
    assert house.drainer.drain(Lane.LIVE, 60).embedded == STEP
