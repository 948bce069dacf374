"""Draining: claimed items are read anew, embedded, and their vectors written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.errors import NotFound, Unavailable
from domain.items import Item
from domain.ports import ItemEmbedder, ParkedItems, SearchEngine, WorkQueue
from domain.versions import Creation, Outcome, StoredItem, VectorState, ready
from domain.work import MAX_ATTEMPTS_ALONE, Attempt, Claim, ClaimedTask, Lane, ParkedItem, Task

log = logging.getLogger(__name__)

#: Items of one claim.
BATCH: Final = 64
#: Seconds a claim is held; above the longest batch.
LEASE: Final = 120.0
#: Seconds to wait after the engine asked for less.
PAUSE: Final = 2.0


@dataclass(slots=True)
class DrainReport:
    """What a drain did."""

    #: Vectors written.
    embedded: int = 0
    #: Tasks whose item was gone, removed, ready already, or newer in the index.
    stale: int = 0
    #: Tasks that failed and come back.
    failed: int = 0
    #: Tasks given up until a newer revision or `retry`.
    parked: int = 0
    #: Why the drain stopped early, empty when the lane was empty or the time was up.
    paused: str = ""


@dataclass(slots=True)
class _Batch:
    """One generation's share of a claim, sorted by what is to become of it."""

    finished: list[Task] = field(default_factory=list)
    waiting: list[tuple[ClaimedTask, StoredItem, Item]] = field(default_factory=list)


class Drainer:
    """Works off a lane of the queue.

    Args:
        engine: holds the items.
        queue: says which wait.
        parked: takes what failed too often.
        embedder_of: the embedder of a generation's own space, by generation name.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        engine: SearchEngine,
        queue: WorkQueue,
        parked: ParkedItems,
        embedder_of: Callable[[str], ItemEmbedder],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._parked = parked
        self._embedder_of = embedder_of
        self._clock = clock

    def drain(self, lane: Lane, seconds: float) -> DrainReport:
        """Work until nothing is due, the engine asks for less, or `seconds` have passed."""
        report = DrainReport()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not report.paused:
            claim = self._queue.claim(lane, BATCH, LEASE)
            if claim is None:
                break
            self._free_newer(claim)
            tried = [one for one in claim.tasks if not one.exhausted]
            self._park(
                claim, [one for one in claim.tasks if one.exhausted], "the worker ended in every attempt", report
            )
            for generation in sorted({one.task.work.generation for one in tried}):
                share = [one for one in tried if one.task.work.generation == generation]
                self._work(claim, generation, share, report)
        return report

    def _free_newer(self, claim: Claim) -> None:
        """A newer revision frees what was parked."""
        revisions = {one.task.work: one.task.revision for one in claim.tasks}
        freed = [one.work for one in self._parked.all() if one.revision < revisions.get(one.work, 0)]
        if freed:
            self._parked.free(freed)

    def _work(self, claim: Claim, generation: str, share: Sequence[ClaimedTask], report: DrainReport) -> None:
        try:
            batch = self._read(generation, share)
            report.stale += len(batch.finished)
            self._queue.done(claim, batch.finished)
            self._write_vectors(claim, generation, batch.waiting, report)
        except NotFound:  # the generation was dropped: nothing waits for it any more
            report.stale += len(share)
            self._queue.done(claim, [one.task for one in share])
        except Unavailable as error:
            report.paused = str(error)
            self._queue.give_back(claim, [one.task for one in share], Attempt.FORGIVEN, PAUSE)
        except Exception as error:  # a text that breaks a tokenizer must not stop its neighbours: they are split off
            log.exception("a batch of %d in %s failed", len(share), generation)
            self._failed(claim, share, repr(error), report)

    def _read(self, generation: str, share: Sequence[ClaimedTask]) -> _Batch:
        stored = self._engine.read(generation, [one.task.work.key for one in share])
        batch = _Batch()
        for one in share:
            found = stored.get(one.task.work.key)
            if found is None or found.item is None or found.vector_state is not VectorState.PENDING:
                batch.finished.append(one.task)
            else:
                batch.waiting.append((one, found, found.item))
        return batch

    def _write_vectors(
        self, claim: Claim, generation: str, waiting: list[tuple[ClaimedTask, StoredItem, Item]], report: DrainReport
    ) -> None:
        if not waiting:
            return
        embedder = self._embedder_of(generation)
        items = [item for _, _, item in waiting]
        vectors = embedder.embed(items)
        now = self._clock()
        new = [
            ready(item, vector, space=embedder.space, inputs_hash=embedder.inputs_hash(item), written_at=now)
            for item, vector in zip(items, vectors, strict=True)
        ]
        outcomes = self._engine.write(generation, new, Creation.FORBIDDEN)
        for (one, stored, _), outcome in zip(waiting, outcomes, strict=True):
            if outcome.outcome is not Outcome.FAILED:
                written = outcome.outcome is Outcome.WRITTEN
                report.embedded += written
                report.stale += not written
                self._queue.done(claim, [Task(one.task.work, stored.change.revision)])
            elif outcome.busy:
                report.paused = outcome.reason
                self._queue.give_back(claim, [one.task], Attempt.FORGIVEN, PAUSE)
            else:
                self._failed(claim, [one], outcome.reason, report)

    def _failed(self, claim: Claim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        last = [one for one in share if one.attempts_alone >= MAX_ATTEMPTS_ALONE]
        self._park(claim, last, error, report)
        again = [one.task for one in share if one not in last]
        report.failed += len(again)
        if again:
            self._queue.give_back(claim, again, Attempt.COUNTED, delay=PAUSE)

    def _park(self, claim: Claim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        if not share:
            return
        now = self._clock()
        self._parked.park(
            [ParkedItem(one.task.work, one.task.revision, one.attempts, error[:500], now) for one in share]
        )
        self._queue.done(claim, [one.task for one in share])
        report.parked += len(share)
