"""Reconcile: the index itself says which items still wait, so losing the queue loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from domain.items import ItemKey
from domain.ports import ParkedItems, SearchEngine, WorkQueue
from domain.versions import VectorState
from domain.work import Lane, Task, WorkKey

#: An item that is pending for longer than this many seconds is queued again.
PENDING_AGE: Final = 60.0
PAGE: Final = 500
#: Items queued by one call at most, so that a queue at its bound is not pressed.
MOST: Final = 10_000


def requeue_pending(
    engine: SearchEngine,
    queue: WorkQueue,
    parked: ParkedItems,
    generation: str,
    *,
    older_than: float = PENDING_AGE,
    clock: Callable[[], float] = time.time,
) -> int:
    """How many pending items of the generation were queued again; parked revisions stay parked.

    Args:
        older_than: seconds an item must have been pending; 0 takes all.
    """
    engine.refresh(generation)
    poisoned = {(one.work, one.revision) for one in parked.all()}
    queued = 0
    after: ItemKey | None = None
    while queued < MOST:
        page = engine.scan(generation, after=after, limit=PAGE, state=VectorState.PENDING)
        if not page:
            return queued
        after = page[-1].key
        before = clock() - older_than
        tasks = [
            Task(WorkKey(stored.key, generation), stored.change.revision)
            for stored in page
            if stored.written_at <= before
        ]
        queued += queue.add([task for task in tasks if (task.work, task.revision) not in poisoned], Lane.LIVE)
    return queued
