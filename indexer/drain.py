"""Draining: claimed items are read anew, embedded, and their vectors written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from domain.errors import Busy, ConfigurationError, NotFound, Unavailable
from domain.items import Item
from domain.ports import ItemEmbedder, ParkedItems, SearchEngine, WorkQueue
from domain.versions import Creation, Outcome, VectorState, ready
from domain.work import MAX_ATTEMPTS_ALONE, Attempt, ClaimedTask, Lane, ParkedItem, Task
from indexer.held import LEASE, PAUSE, HeldClaim

log = logging.getLogger(__name__)

#: Items of one claim.
BATCH: Final = 64
#: Items embedded and written in one step. Between two steps the lease is extended and the time looked at, so that
#: neither depends on how slow the encoder is; and a text that breaks it costs these their turn, not the whole claim.
STEP: Final = 16
#: Seconds until the items of a generation are tried again for which this process has no bundle.
WITHOUT_BUNDLE: Final = 30.0


@dataclass(slots=True)
class DrainReport:
    """What a drain did."""

    #: Vectors written.
    embedded: int = 0
    #: Tasks whose item was gone, removed, ready already, parked, or newer in the index.
    stale: int = 0
    #: Tasks that failed and come back.
    failed: int = 0
    #: Tasks given up until a newer revision or `retry`.
    parked: int = 0
    #: Tasks that come back later, because there is no bundle here for their generation.
    without_bundle: int = 0
    #: Why the drain stopped early, empty when the lane was empty or the time was up.
    paused: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A claimed task whose item, as stored now, waits for its vector."""

    claimed: ClaimedTask
    item: Item

    @property
    def length(self) -> int:
        """Characters of text: items of one step are alike in what they cost."""
        return sum(len(text) for text in self.item.texts.values())


class Drainer:
    """Works off a lane of the queue.

    An attempt is counted only when the work itself failed, in the embedder or at the item's own write. A server
    that does not answer, refuses this process or asks for less, and a process that is told to stop, cost none.

    Args:
        engine: holds the items.
        queue: says which wait.
        parked: takes what failed too often.
        embedder_of: the embedder of a generation's own space, by generation name.
        clock: seconds since 1970.
        interrupts: exceptions that tell this process to stop, and leave `drain`.
    """

    def __init__(
        self,
        engine: SearchEngine,
        queue: WorkQueue,
        parked: ParkedItems,
        embedder_of: Callable[[str], ItemEmbedder],
        clock: Callable[[], float] = time.time,
        interrupts: tuple[type[Exception], ...] = (),
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._parked = parked
        self._embedder_of = embedder_of
        self._clock = clock
        #: What is no item's fault.
        self._elsewhere: tuple[type[Exception], ...] = (ConfigurationError, Unavailable, *interrupts)

    def drain(self, lane: Lane, seconds: float) -> DrainReport:
        """Work until nothing is due, a server is away or asks for less, or `seconds` have passed."""
        report = DrainReport()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not report.paused:
            try:
                claim = self._queue.claim(lane, BATCH, LEASE)
                if claim is None:
                    break
                with HeldClaim(self._queue, claim) as held:
                    self._work_off(held, until, report)
            except (ConfigurationError, Unavailable) as error:
                report.paused = str(error)
        return report

    def _work_off(self, held: HeldClaim, until: float, report: DrainReport) -> None:
        self._heed_parked(held, report)
        for generation in sorted({one.task.work.generation for one in held.open()}):
            share = [one for one in held.open() if one.task.work.generation == generation]
            waiting: list[_Waiting] = []
            with self._counting(held, share, report):
                waiting = self._read(held, generation, share, report)
            if waiting:
                self._embed(held, generation, waiting, until, report)

    def _heed_parked(self, held: HeldClaim, report: DrainReport) -> None:
        """A newer revision frees what was parked; the same one, told again, does not."""
        told = {one.task.work: one.task for one in held.open()}
        parked = self._parked.get(list(told))
        freed = [one.work for one in parked if one.revision < told[one.work].revision]
        if freed:
            self._parked.free(freed)
        given_up = [told[one.work] for one in parked if one.revision >= told[one.work].revision]
        held.done(given_up)
        report.stale += len(given_up)

    def _read(
        self, held: HeldClaim, generation: str, share: Sequence[ClaimedTask], report: DrainReport
    ) -> list[_Waiting]:
        """What is to be embedded, shortest texts first; the other tasks are finished or parked."""
        stored = self._engine.read(generation, [one.task.work.key for one in share])
        waiting, finished, ended = [], [], []
        for one in share:
            found = stored.get(one.task.work.key)
            if found is None or found.item is None or found.vector_state is not VectorState.PENDING:
                finished.append(one.task)
            elif one.exhausted:
                ended.append(one)
            else:
                waiting.append(_Waiting(one, found.item))
        held.done(finished)
        report.stale += len(finished)
        self._park(held, ended, "the worker ended in every attempt", report)
        return sorted(waiting, key=lambda one: one.length)

    def _embed(
        self, held: HeldClaim, generation: str, waiting: Sequence[_Waiting], until: float, report: DrainReport
    ) -> None:
        try:
            embedder = self._embedder_of(generation)
        except self._elsewhere:
            raise
        except Exception as error:  # a bundle that is missing, refused or half copied is no item's fault
            log.warning("%d items of %s wait for a bundle: %r", len(waiting), generation, error)
            held.give_back([one.claimed for one in waiting], Attempt.FORGIVEN, WITHOUT_BUNDLE)
            report.without_bundle += len(waiting)
            return
        for start in range(0, len(waiting), STEP):
            step = waiting[start : start + STEP]
            # Loading the bundle or the step before may have taken long; whoever has the claim now goes on with it.
            if not held.extend():
                return
            with self._counting(held, [one.claimed for one in step], report):
                self._write_vectors(held, generation, embedder, step, report)
            if time.monotonic() >= until:
                return

    def _write_vectors(
        self,
        held: HeldClaim,
        generation: str,
        embedder: ItemEmbedder,
        step: Sequence[_Waiting],
        report: DrainReport,
    ) -> None:
        items = [one.item for one in step]
        vectors = embedder.embed(items)
        now = self._clock()
        new = [
            ready(item, vector, space=embedder.space, inputs_hash=embedder.inputs_hash(item), written_at=now)
            for item, vector in zip(items, vectors, strict=True)
        ]
        outcomes = self._engine.write(generation, new, Creation.FORBIDDEN)
        finished, failed, busy = [], [], ""
        for one, outcome in zip(step, outcomes, strict=True):
            if outcome.outcome is not Outcome.FAILED:
                finished.append(Task(one.claimed.task.work, one.item.revision))
                report.embedded += outcome.outcome is Outcome.WRITTEN
                report.stale += outcome.outcome is not Outcome.WRITTEN
            elif outcome.busy:
                busy = outcome.reason
            else:
                failed.append((one.claimed, outcome.reason))
        held.done(finished)
        for claimed, reason in failed:
            self._failed(held, [claimed], reason, report)
        if busy:
            fix = "Nothing to do: the rest is tried again by itself."
            raise Busy(f"vectors of {generation}", expected="room for more writes", got=busy, fix=fix)

    @contextmanager
    def _counting(self, held: HeldClaim, share: Sequence[ClaimedTask], report: DrainReport) -> Iterator[None]:
        """Inside, an error of the work itself is an attempt of these tasks."""
        try:
            yield
        except self._elsewhere:
            raise
        except NotFound:  # the generation was dropped: nothing waits for it any more
            dropped = [one.task for one in held.open(share)]
            held.done(dropped)
            report.stale += len(dropped)
        except Exception as error:
            log.exception("a step of %d items failed", len(share))
            self._failed(held, held.open(share), repr(error), report)

    def _failed(self, held: HeldClaim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        last = [one for one in share if one.attempts_alone >= MAX_ATTEMPTS_ALONE]
        self._park(held, last, error, report)
        again = [one for one in share if one not in last]
        held.give_back(again, Attempt.COUNTED, PAUSE)
        report.failed += len(again)

    def _park(self, held: HeldClaim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        if not share:
            return
        now = self._clock()
        self._parked.park(
            [ParkedItem(one.task.work, one.task.revision, one.attempts, error[:500], now) for one in share]
        )
        held.done([one.task for one in share])
        report.parked += len(share)
