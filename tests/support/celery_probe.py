"""A worker application for tests: drains a RedisQueue slowly and writes down in Redis what it did.

``celery -A tests.support.celery_probe worker`` with SIDETOWER_TEST_PROBE_REDIS in the environment.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence

import redis

from domain.errors import SourceError, Unavailable
from domain.work import Lane
from indexer.held import HeldClaim
from plugin.queues.redis_queue import RedisQueue
from workers.app import WorkerParts, create_celery

URL = os.environ["SIDETOWER_TEST_PROBE_REDIS"]
#: Seconds of work for one task of the queue.
SLOWNESS = 0.05
LEASE = 1.5
BATCH = 8
_AWAY = Unavailable("engine", expected="an answer", got="none", fix="Wait.")


@functools.cache
def notes() -> redis.Redis:
    """Where the worker writes, opened in its own process."""
    return redis.Redis.from_url(URL, socket_timeout=5, decode_responses=True)


@functools.cache
def queue() -> RedisQueue:
    return RedisQueue(URL)


def drain(lane: Lane, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    notes().incr(f"drains:{lane.value}")
    if notes().exists("engine-away"):
        raise _AWAY
    while time.monotonic() < deadline and (claim := queue().claim(lane, BATCH, LEASE)) is not None:
        with HeldClaim(queue(), claim) as held:
            for one in claim.tasks:
                time.sleep(float(notes().get("slowness") or SLOWNESS))
                notes().rpush("worked", one.task.work.key.id)
            held.done([one.task for one in claim.tasks])


def changed(kind: str, ids: Sequence[str], tenant: str) -> None:
    """The engine is away for the first two calls, and the source of ``review`` always."""
    if kind == "review":
        notes().incr("review-calls")
        raise SourceError("reviews", expected="an index of that name", got="none", fix="Correct the name.")
    if notes().incr("change-calls") <= 2:
        raise _AWAY
    notes().rpush("changed", f"{tenant}/{kind}/{','.join(ids)}")


def reconcile() -> None:
    notes().incr("reconciled")


app = create_celery(WorkerParts(URL, drain, reconcile, changed))
if limit := os.environ.get("SIDETOWER_TEST_PROBE_SOFT_LIMIT"):
    app.conf.task_soft_time_limit = float(limit)
