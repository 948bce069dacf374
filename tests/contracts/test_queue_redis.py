"""The work queue in a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from domain.errors import Busy, ConfigurationError, Unavailable
from domain.ports import WorkQueue
from domain.work import MAX_ATTEMPTS_ALONE, Attempt, Depth, Lane
from plugin.queues.redis_errors import COUNTERPARTS, counterpart
from plugin.queues.redis_queue import RedisQueue
from tests.contracts.queue_model import check_against_model
from tests.contracts.queue_suite import QueueContract
from tests.contracts.queue_tasks import LONG, names, taken, task, tasks, told
from tests.support.redis_server import running_redis

pytestmark = pytest.mark.redis


def fresh(url: str, bound: int = 1_000) -> RedisQueue:
    return RedisQueue(url, namespace=f"test-{uuid.uuid4().hex}", bound=bound)


class TestRedisQueue(QueueContract):
    @pytest.fixture
    def make_queue(self, redis_url: str) -> Callable[..., WorkQueue]:
        def make(bound: int = 1_000) -> WorkQueue:
            return fresh(redis_url, bound)

        return make

    @pytest.fixture
    def let_pass(self) -> Callable[[float], None]:
        def let_pass(seconds: float) -> None:
            time.sleep(seconds + 0.01)

        return let_pass


def test_agrees_with_the_model(redis_url: str) -> None:
    check_against_model(lambda bound: fresh(redis_url, bound), examples=40)


@pytest.fixture
def own_redis(redis_url: str, tmp_path: Path) -> Iterator[str]:
    """A Redis that this test may empty, fill or stop."""
    with running_redis(tmp_path) as url:
        yield url


@pytest.fixture
def server(own_redis: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_redis, decode_responses=True, socket_timeout=5) as client:
        yield client


def test_losing_everything_in_the_middle_disturbs_nobody(own_redis: str, server: redis.Redis) -> None:
    queue = RedisQueue(own_redis)
    queue.add(tasks("abcdef"))
    claims = [taken(queue, limit=2) for _ in range(3)]
    server.flushall()
    queue.done(claims[0], told(claims[0]))
    queue.give_back(claims[1], told(claims[1]), Attempt.FORGIVEN)
    queue.give_back(claims[1], told(claims[1]), Attempt.COUNTED)
    assert queue.extend(claims[2], LONG) is False
    assert queue.claim(Lane.LIVE, 10, LONG) is None
    assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)
    assert server.keys() == []
    assert queue.add(tasks("abcdef")) == 6
    new = taken(queue)
    queue.done(claims[0], told(claims[0]))
    assert names(new) == "abcdef"
    assert queue.depth(Lane.LIVE).in_flight == 6


@pytest.mark.parametrize("lost", ["tasks", "waiting", "groups", "leases", "batches", "added", "sequence"])
def test_losing_one_key_is_healed_by_adding_anew(own_redis: str, server: redis.Redis, lost: str) -> None:
    queue = RedisQueue(own_redis)
    queue.add(tasks("abcdef"))
    taken(queue, limit=2, lease=0.0)
    half = taken(queue, limit=1)
    assert names(half) == "a", 'and "b" is a group'
    pair = taken(queue, limit=1), taken(queue, limit=2)
    assert [names(claim) for claim in pair] == ["b", "cd"]
    queue.give_back(pair[0], told(pair[0]), Attempt.COUNTED)
    server.delete("{sidetower}:live:" + lost)
    queue.give_back(half, told(half), Attempt.FORGIVEN)
    queue.done(pair[1], tasks("d"))
    assert queue.add(tasks("abcdef")) >= 1
    queue.extend(pair[1], 0.0)
    found = ""
    while (again := queue.claim(Lane.LIVE, 10, LONG)) is not None:
        found += names(again)
        queue.done(again, told(again))
    assert sorted(found) == list("abcdef")
    assert queue.depth(Lane.LIVE).waiting == 0


def test_full_server_is_busy_and_nothing_was_changed(own_redis: str, server: redis.Redis) -> None:
    queue = RedisQueue(own_redis)
    queue.add(tasks("ab"))
    claim = taken(queue, limit=1)
    server.config_set("maxmemory", 1)
    with pytest.raises(Busy, match="Raise maxmemory"):
        queue.add(tasks("c"))
    with pytest.raises(Busy, match="Raise maxmemory"):
        queue.give_back(claim, told(claim), Attempt.COUNTED)
    depth = queue.depth(Lane.LIVE)
    assert (depth.waiting, depth.in_flight) == (1, 1)
    # What makes room still goes through.
    queue.done(claim, told(claim))
    rest = taken(queue)
    assert names(rest) == "b"
    queue.done(rest, told(rest))
    server.config_set("maxmemory", 0)
    assert server.keys() == []


def test_restarted_or_script_less_server_is_met_again_without_an_error(own_redis: str, server: redis.Redis) -> None:
    queue = RedisQueue(own_redis)
    queue.add(tasks("a"))
    server.script_flush()
    server.client_kill_filter(_type="normal", skipme=True)
    assert names(taken(queue)) == "a"


def test_claim_asked_again_is_the_same_claim(own_redis: str) -> None:
    queue = RedisQueue(own_redis)
    queue.add(tasks("abc"))
    first, second = (queue._redis.run("claim", queue._keys[Lane.LIVE], [2, 60_000_000, "live-1"]) for _ in range(2))
    assert first == second
    assert queue.depth(Lane.LIVE).in_flight == 2


def test_unreachable_server_is_unavailable_and_keeps_its_password_to_itself() -> None:
    queue = RedisQueue("redis://:secret@127.0.0.1:1/0")
    with pytest.raises(Unavailable, match=r"Redis at 127\.0\.0\.1:1: expected an answer in time") as caught:
        queue.add([task("a")])
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="expected redis://host:port/db") as wrong:
        RedisQueue("http://:secret@localhost")
    assert "secret" not in str(wrong.value)


def test_silent_server_is_unavailable_in_time(own_redis: str, server: redis.Redis) -> None:
    queue = RedisQueue(own_redis)
    queue.add([task("a")])
    server.client_pause(4_000)
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        queue.depth(Lane.LIVE)
    assert time.monotonic() - begun < 3.5


def test_every_error_of_redis_py_has_a_counterpart() -> None:
    foreign = {
        name
        for name, value in vars(redis.exceptions).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == "redis.exceptions"
    }
    assert foreign - COUNTERPARTS.keys() == set()
    assert counterpart(KeyError("not of redis"), "here") is None


def test_forked_child_has_its_own_connection(redis_url: str) -> None:
    queue = fresh(redis_url, bound=10_000)
    queue.add([task(f"{number:04d}") for number in range(400)])
    children = [_fork(lambda: _drain(queue)) for _ in range(3)]
    _drain(queue)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)


def _drain(queue: RedisQueue) -> None:
    while (claim := queue.claim(Lane.LIVE, 3, LONG)) is not None:
        queue.done(claim, told(claim))


def _fork(work: Callable[[], None]) -> int:
    assert threading.active_count() == 1 or sys.version_info < (3, 12)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def test_killed_workers_lose_nothing_and_poison_ends_alone(redis_url: str) -> None:
    """A worker that meets "poison" kills itself (-9), as a crash in native code would."""
    namespace = f"test-{uuid.uuid4().hex}"
    queue = RedisQueue(redis_url, namespace)
    good = [f"good-{number}" for number in range(7)]
    queue.add([task(name) for name in [*good[:4], "poison", *good[4:]]])
    command = [sys.executable, "-m", "tests.support.fragile_worker", redis_url, namespace]
    reports, deaths = [], 0
    for _ in range(20):
        worker = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        reports += worker.stdout.split()
        if worker.returncode == 0:
            break
        assert worker.returncode == -9, worker.stderr
        deaths += 1
    # 8 tasks, then 4, 2 and 1; then alone five times in all.
    assert deaths == 3 + MAX_ATTEMPTS_ALONE
    assert sorted(reports) == sorted([f"done:{name}" for name in good] + ["parked:poison"])
    assert queue.depth(Lane.LIVE) == Depth(0, 0, 0.0)
