"""Reconcile: the index itself says which items still wait, so losing the queue loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from domain.errors import Busy
from domain.items import ItemKey
from domain.ports import ParkedItems, SearchEngine, WorkQueue
from domain.versions import VectorState
from domain.work import Lane, Task, WorkKey

#: An item that is pending for longer than this many seconds is queued again.
PENDING_AGE: Final = 60.0
PAGE: Final = 500
#: While this many tasks wait the workers need no more, and one call adds at most as many.
ENOUGH: Final = 10_000


def requeue_pending(
    engine: SearchEngine,
    queue: WorkQueue,
    parked: ParkedItems,
    generation: str,
    *,
    older_than: float = PENDING_AGE,
    seconds: float = 20.0,
    clock: Callable[[], float] = time.time,
) -> int:
    """How many pending items of the generation were queued again; parked revisions stay parked.

    It begins at the first key each time: what was queued before is worked off and no longer pending by then, so
    calls that are cut short get through all the same. A full queue ends the call too.

    Args:
        older_than: seconds an item must have been pending; 0 takes all.
        seconds: no further page is read after these.
    """
    until = time.monotonic() + seconds
    if queue.depth(Lane.LIVE).waiting >= ENOUGH:
        return 0
    engine.refresh(generation)
    queued = 0
    after: ItemKey | None = None
    while queued < ENOUGH and time.monotonic() < until:
        page = engine.scan(generation, after=after, limit=PAGE, state=VectorState.PENDING)
        if not page:
            break
        after = page[-1].key
        before = clock() - older_than
        tasks = [
            Task(WorkKey(stored.key, generation), stored.change.revision)
            for stored in page
            if stored.written_at <= before
        ]
        poisoned = {(one.work, one.revision) for one in parked.get([task.work for task in tasks])}
        try:
            queued += queue.add([task for task in tasks if (task.work, task.revision) not in poisoned], Lane.LIVE)
        except Busy:  # the workers have plenty, and the next call goes on
            break
    return queued
