"""Small tasks for the queue's tests, and short words for claims."""

from __future__ import annotations

from domain.items import ItemKey
from domain.ports import WorkQueue
from domain.work import Claim, Lane, Task, WorkKey

#: Seconds. A real server has to wait this long, so it is short.
LEASE = 0.3
#: Never over within a test.
LONG = 600.0


def task(name: str, revision: int = 1, tenant: str = "acme", generation: str = "g1") -> Task:
    return Task(WorkKey(ItemKey(tenant, "listing", name), generation), revision)


def tasks(names: str, revision: int = 1) -> list[Task]:
    """One task for each letter."""
    return [task(name, revision) for name in names]


def names(claim: Claim | None) -> str:
    """The letters of a claim, in its order; empty for none."""
    return "".join(one.task.work.key.id for one in claim.tasks) if claim else ""


def told(claim: Claim) -> list[Task]:
    return [one.task for one in claim.tasks]


def taken(queue: WorkQueue, lane: Lane = Lane.LIVE, limit: int = 10, lease: float = LONG) -> Claim:
    claim = queue.claim(lane, limit, lease)
    assert claim is not None
    return claim
