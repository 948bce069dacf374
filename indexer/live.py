"""The live lane: a change is searchable by text at once, in every generation being written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.errors import Busy, NotFound, Unavailable
from domain.items import Change
from domain.ports import ItemEmbedder, SearchEngine, WorkQueue
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from domain.work import Lane, Task, WorkKey
from indexer.carry import carried, waves
from indexer.releases import ReleaseView

log = logging.getLogger(__name__)

#: Seconds that a queue which did not answer is left alone; reconcile finds what it would have been told.
QUEUE_REST: Final = 5.0
#: Seconds that an item waits for its vector when it was written less than so many before: an item that is edited all
#: the time is embedded once a second, and one edited now and then at once.
SETTLING: Final = 1.0
#: The outcome told for an item is the worst of its generations.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.CONFLICTING_REVISION, Outcome.STALE, Outcome.WRITTEN)


@dataclass(frozen=True, slots=True)
class LiveWrite:
    """What became of changes of one kind in one generation."""

    generation: str
    kind: str
    #: One for each change.
    outcomes: Sequence[ItemOutcome]
    #: Items that kept their vector, because nothing that the item tower reads had changed.
    carried: int
    #: From reading what was there to the engine's answer.
    seconds: float


@dataclass(frozen=True, slots=True)
class _Round:
    """Changes of one kind that name no item twice, with their positions in the call."""

    kind: str
    told: Sequence[tuple[int, Change]]
    #: What became of them, by generation.
    taken: dict[str, Sequence[ItemOutcome]] = field(default_factory=dict)


class LiveWriter:
    """Writes changes as they are told (phase 0) and queues what waits for a vector.

    Args:
        engine: takes the writes.
        releases: says which generations are written.
        queue: takes the keys that wait.
        embedder_of: the embedder of a generation's own space, by generation name.
        clock: seconds since 1970.
        on_write: told of every write.
    """

    def __init__(
        self,
        engine: SearchEngine,
        releases: ReleaseView,
        queue: WorkQueue,
        embedder_of: Callable[[str], ItemEmbedder],
        clock: Callable[[], float] = time.time,
        on_write: Callable[[LiveWrite], None] | None = None,
    ) -> None:
        self._engine = engine
        self._releases = releases
        self._queue = queue
        self._embedder_of = embedder_of
        self._clock = clock
        self._on_write = on_write or (lambda _: None)
        self._queue_again = 0.0

    def apply(self, changes: Sequence[Change]) -> list[ItemOutcome]:
        """One outcome for each change, in order: written when every generation took it. Safe to repeat.

        Raises:
            StaleRelease: the fence; send all of it again.
            Unavailable: a kind has no release yet, or the engine does not answer; send all of it again.
        """
        rounds = [
            _Round(kind, [(position, change) for position, change in wave if change.key.kind == kind])
            for wave in waves(changes)
            for kind in sorted({change.key.kind for _, change in wave})
        ]
        # Until every generation that is written when this returns has all of it. That may be more than when it began: a
        # generation is filled, and another one dropped, a lease after the release says so; what is held up for longer
        # would be acknowledged though only the old one has it.
        while behind := [(one, name) for one in rounds for name in self._lacking(one)]:
            for one, name in behind:
                self._bring(one, name)
        outcomes: dict[int, ItemOutcome] = {}
        for one in rounds:
            for (position, _), each in zip(one.told, zip(*one.taken.values(), strict=True), strict=True):
                outcomes[position] = min(each, key=lambda told: _WORST_FIRST.index(told.outcome))
        return [outcomes[position] for position in range(len(changes))]

    def _lacking(self, one: _Round) -> list[str]:
        """The generations being written that have not taken it."""
        return [name for name in self._releases.for_writing(one.kind).writing if name not in one.taken]

    def _bring(self, one: _Round, generation: str) -> None:
        # What conflicts in one generation goes into no other: where the one that came first is still missing, a fill
        # or the comparison of generations brings it.
        refused = {
            told.key: told
            for outcomes in one.taken.values()
            for told in outcomes
            if told.outcome is Outcome.CONFLICTING_REVISION
        }
        changes = [change for _, change in one.told if change.key not in refused]
        try:
            told = {outcome.key: outcome for outcome in self._write(generation, one.kind, changes)}
        except NotFound:  # dropped while this was held up, or truly missing
            if generation in self._releases.for_writing(one.kind).writing:
                raise
        else:
            one.taken[generation] = [(told | refused)[change.key] for _, change in one.told]

    def _write(self, generation: str, kind: str, changes: Sequence[Change]) -> list[ItemOutcome]:
        began = time.monotonic()
        before = self._engine.read(generation, [change.key for change in changes])
        embedder = self._embedder(generation)
        now = self._clock()
        new = [carried(change, before.get(change.key), embedder, now) for change in changes]
        outcomes = self._engine.write(generation, new)
        seconds = time.monotonic() - began
        written = [one for one, told in zip(new, outcomes, strict=True) if told.outcome is Outcome.WRITTEN]
        at_once: list[Task] = []
        settling: list[Task] = []
        for stored in written:
            there = before.get(stored.key)
            if _waits(stored, there):
                busy = there is not None and now - there.written_at < SETTLING
                (settling if busy else at_once).append(Task(WorkKey(stored.key, generation), stored.change.revision))
        self._enqueue(at_once)
        self._enqueue(settling, SETTLING)
        carried_over = sum(stored.vector_state is VectorState.READY for stored in written)
        self._on_write(LiveWrite(generation, kind, outcomes, carried_over, seconds))
        return outcomes

    def _embedder(self, generation: str) -> ItemEmbedder | None:
        """The generation's embedder, or None: without it nothing is carried over, and text still goes first."""
        try:
            return self._embedder_of(generation)
        except Exception as error:  # text goes first, whatever is wrong with a bundle
            log.warning("vectors of %s cannot be carried over: %s", generation, error)
            return None

    def _enqueue(self, tasks: Sequence[Task], delay: float = 0.0) -> None:
        """Queue the tasks; a queue that is gone or full loses nothing, because the index says what is pending."""
        if not tasks or time.monotonic() < self._queue_again:
            return
        try:
            self._queue.add(tasks, Lane.LIVE, delay)
        except Unavailable as error:
            if not isinstance(error, Busy):  # a server that hangs costs one change its time-out, not every change
                self._queue_again = time.monotonic() + QUEUE_REST
            log.warning("%d items wait for reconcile instead of the queue: %s", len(tasks), error)


def _waits(new: StoredItem, before: StoredItem | None) -> bool:
    """Whether the item still waits for a vector after the write; a replay may find it ready."""
    if before is not None and before.version > new.version:
        return before.vector_state is VectorState.PENDING
    return new.vector_state is VectorState.PENDING
