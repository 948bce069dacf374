"""The live lane: a change is searchable by text at once, in every generation being written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from domain.errors import Busy, Unavailable
from domain.items import Change
from domain.ports import ItemEmbedder, SearchEngine, WorkQueue
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from domain.work import Lane, Task, WorkKey
from indexer.carry import carried, waves
from indexer.releases import ReleaseView

log = logging.getLogger(__name__)

#: Seconds that a queue which did not answer is left alone; reconcile finds what it would have been told.
QUEUE_REST: Final = 5.0
#: The outcome told for an item is the worst of its generations.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.CONFLICTING_REVISION, Outcome.STALE, Outcome.WRITTEN)


class LiveWriter:
    """Writes changes as they are told (phase 0) and queues what waits for a vector.

    Args:
        engine: takes the writes.
        releases: says which generations are written.
        queue: takes the keys that wait.
        embedder_of: the embedder of a generation's own space, by generation name.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        engine: SearchEngine,
        releases: ReleaseView,
        queue: WorkQueue,
        embedder_of: Callable[[str], ItemEmbedder],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._releases = releases
        self._queue = queue
        self._embedder_of = embedder_of
        self._clock = clock
        self._queue_again = 0.0

    def apply(self, changes: Sequence[Change]) -> list[ItemOutcome]:
        """One outcome for each change, in order: written when every generation took it. Safe to repeat.

        Raises:
            StaleRelease: the fence; nothing of that kind was written.
            Unavailable: a kind has no release yet, or the engine does not answer; send all of it again.
        """
        outcomes: dict[int, ItemOutcome] = {}
        for wave in waves(changes):
            for kind in sorted({change.key.kind for _, change in wave}):
                told = [(position, change) for position, change in wave if change.key.kind == kind]
                writing = self._releases.for_writing(kind).writing
                by_generation = [self._write(name, [change for _, change in told]) for name in writing]
                for (position, _), each in zip(told, zip(*by_generation, strict=True), strict=True):
                    outcomes[position] = min(each, key=lambda one: _WORST_FIRST.index(one.outcome))
        return [outcomes[position] for position in range(len(changes))]

    def _write(self, generation: str, changes: Sequence[Change]) -> list[ItemOutcome]:
        before = self._engine.read(generation, [change.key for change in changes])
        embedder = self._embedder(generation)
        now = self._clock()
        new = [carried(change, before.get(change.key), embedder, now) for change in changes]
        outcomes = self._engine.write(generation, new)
        waiting = [
            Task(WorkKey(stored.key, generation), stored.change.revision)
            for stored, outcome in zip(new, outcomes, strict=True)
            if outcome.outcome is Outcome.WRITTEN and _waits(stored, before.get(stored.key))
        ]
        self._enqueue(waiting)
        return outcomes

    def _embedder(self, generation: str) -> ItemEmbedder | None:
        """The generation's embedder, or None: without it nothing is carried over, and text still goes first."""
        try:
            return self._embedder_of(generation)
        except Exception as error:  # text goes first, whatever is wrong with a bundle
            log.warning("vectors of %s cannot be carried over: %s", generation, error)
            return None

    def _enqueue(self, tasks: Sequence[Task]) -> None:
        """Queue the tasks; a queue that is gone or full loses nothing, because the index says what is pending."""
        if not tasks or time.monotonic() < self._queue_again:
            return
        try:
            self._queue.add(tasks, Lane.LIVE)
        except Unavailable as error:
            if not isinstance(error, Busy):  # a server that hangs costs one change its time-out, not every change
                self._queue_again = time.monotonic() + QUEUE_REST
            log.warning("%d items wait for reconcile instead of the queue: %s", len(tasks), error)


def _waits(new: StoredItem, before: StoredItem | None) -> bool:
    """Whether the item still waits for a vector after the write; a replay may find it ready."""
    if before is not None and before.version > new.version:
        return before.vector_state is VectorState.PENDING
    return new.vector_state is VectorState.PENDING
