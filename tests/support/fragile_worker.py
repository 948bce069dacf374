"""A worker process that dies the hard way: ``python -m tests.support.fragile_worker URL NAMESPACE``."""

from __future__ import annotations

import os
import signal
import sys
import time

from domain.work import Claim, Lane
from plugin.queues.redis_queue import RedisQueue

LEASE = 0.2


def main(url: str, namespace: str) -> None:
    """Work until the lane is empty; "poison" kills the process, unless it is exhausted."""
    queue = RedisQueue(url, namespace)
    while sum(_depth(queue)) > 0:
        claim = queue.claim(Lane.LIVE, 8, LEASE)
        if claim is None:
            time.sleep(0.02)
            continue
        _work(queue, claim)


def _depth(queue: RedisQueue) -> tuple[int, int]:
    depth = queue.depth(Lane.LIVE)
    return depth.waiting, depth.in_flight


def _work(queue: RedisQueue, claim: Claim) -> None:
    for one in claim.tasks:
        name = one.task.work.key.id
        if name == "poison" and not one.exhausted:
            os.kill(os.getpid(), signal.SIGKILL)
    for one in claim.tasks:
        print(f"{'parked' if one.exhausted else 'done'}:{one.task.work.key.id}", flush=True)
    queue.done(claim, [one.task for one in claim.tasks])


if __name__ == "__main__":
    main(*sys.argv[1:])
