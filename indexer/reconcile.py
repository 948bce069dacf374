"""Reconcile: the index itself says which items need a vector, so losing the queue loses nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from domain.errors import Busy, NotFound
from domain.items import ItemKey
from domain.ports import ParkedItems, SearchEngine, WorkQueue
from domain.releases import Generation
from domain.versions import Outcome, StoredItem, VectorState, repaired
from domain.work import Lane, ParkedItem, Task, WorkKey

log = logging.getLogger(__name__)

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


def requeue_foreign(
    engine: SearchEngine,
    queue: WorkQueue,
    generation: Generation,
    *,
    seconds: float = 20.0,
    clock: Callable[[], float] = time.time,
) -> int:
    """How many items lost a vector of another space than the generation's, and wait for a right one now.

    No engine takes such a vector, and none is ever compared; one that got in all the same (the generation was dropped
    and made anew while it was written) would never be found by vector. Sees what was refreshed.

    Args:
        seconds: no further page is read after these.
    """
    until = time.monotonic() + seconds
    if queue.depth(Lane.LIVE).waiting >= ENOUGH:
        return 0
    queued = 0
    after: ItemKey | None = None
    while queued < ENOUGH and time.monotonic() < until:
        page = engine.scan(generation.name, after=after, limit=PAGE, outside=generation.space)
        if not page:
            break
        after = page[-1].key
        waiting = _without_vectors(engine, generation, [stored.key for stored in page], clock())
        queued += len(waiting)
        try:
            queue.add(waiting, Lane.LIVE)
        except Busy:  # they are pending now, and found as such
            break
    return queued


def free_settled(engine: SearchEngine, parked: ParkedItems, *, seconds: float = 20.0) -> int:
    """How many parked items were freed because nothing waits for them: embedded, removed or replaced since.

    Args:
        seconds: no further page is read after these.
    """
    until = time.monotonic() + seconds
    freed = 0
    after: WorkKey | None = None
    while time.monotonic() < until and (page := parked.all(PAGE, after)):
        after = page[-1].work
        settled: list[WorkKey] = []
        for generation in {one.work.generation for one in page}:
            those = [one for one in page if one.work.generation == generation]
            settled += _settled(engine, generation, those)
        parked.free(settled)
        freed += len(settled)
    return freed


def _settled(engine: SearchEngine, generation: str, items: Sequence[ParkedItem]) -> list[WorkKey]:
    """Those of these, parked in the generation, that do not wait there in the revision that was given up."""
    try:
        held = engine.read(generation, [one.work.key for one in items])
    except NotFound:  # dropped
        return [one.work for one in items]

    def waits(one: ParkedItem) -> bool:
        stored = held.get(one.work.key)
        return (
            stored is not None and stored.vector_state is VectorState.PENDING and stored.change.revision <= one.revision
        )

    return [one.work for one in items if not waits(one)]


def _without_vectors(engine: SearchEngine, generation: Generation, keys: Sequence[ItemKey], now: float) -> list[Task]:
    """The items of these keys whose foreign vectors were taken away."""
    found = [one for one in engine.read(generation.name, keys).values() if _is_foreign(one, generation)]
    for stored in found:
        if stored.repaired:  # its revision has no version left
            place = f"{stored.key} in {generation.name}"
            log.warning("%s keeps a vector of space %s until its next revision", place, stored.space)
    writes = [repaired(stored.change, now) for stored in found if not stored.repaired]
    outcomes = engine.write(generation.name, writes)
    return [
        Task(WorkKey(new.key, generation.name), new.change.revision)
        for new, outcome in zip(writes, outcomes, strict=True)
        if outcome.outcome is Outcome.WRITTEN
    ]


def _is_foreign(stored: StoredItem, generation: Generation) -> bool:
    return stored.vector is not None and stored.space != generation.space
