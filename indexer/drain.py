"""Draining: claimed items are read anew, embedded, and their vectors written."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from domain.errors import Busy, ConfigurationError, NotFound, SidetowerError, Unavailable
from domain.items import Item
from domain.ports import ItemEmbedder, ParkedItems, SearchEngine, WorkQueue
from domain.versions import Creation, ItemOutcome, Outcome, StoredItem, VectorState, ready
from domain.work import MAX_ATTEMPTS_ALONE, Attempt, ClaimedTask, Lane, ParkedItem, Task
from indexer.held import LEASE, PAUSE, HeldClaim

log = logging.getLogger(__name__)

#: Items embedded and written in one step: few at first, twice as many after each one that was quick. Between two steps
#: the lease is extended and the time looked at, so that neither depends on how slow the encoder is; and a text that
#: breaks it costs these their turn, not the whole claim.
STEP: Final = 16
LARGEST_STEP: Final = 256
#: Seconds of embedding up to which a step is quick, and from which it is too slow for its size.
QUICK: Final = 0.25
SLOW: Final = 1.0
#: Steps of one claim.
STEPS: Final = 4
#: Seconds until the items of a generation are tried again for which this process has no bundle.
WITHOUT_BUNDLE: Final = 30.0


#: What can become of a task; each is a count of `DrainReport`.
Ending = Literal["embedded", "stale", "failed", "parked", "without_bundle"]


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
    #: The five counts above by the kind of the items.
    by_kind: Counter[tuple[str, Ending]] = field(default_factory=Counter)
    #: Batches that were embedded.
    batches: int = 0
    #: Why the drain stopped early, empty when the lane was empty or the time was up; and the code of that error.
    paused: str = ""
    paused_by: str = ""

    def count(self, ending: Ending, tasks: Sequence[Task]) -> None:
        """These tasks ended so."""
        setattr(self, ending, getattr(self, ending) + len(tasks))
        self.by_kind.update((task.work.key.kind, ending) for task in tasks)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A claimed task whose item, as stored now, waits for its vector."""

    claimed: ClaimedTask
    item: Item

    @property
    def length(self) -> int:
        """Characters of text: items of one step are alike in what they cost."""
        return sum(len(text) for text in self.item.texts.values())


@dataclass(frozen=True, slots=True)
class _Written:
    """A step whose vectors are being written."""

    step: Sequence[_Waiting]
    outcomes: Future[list[ItemOutcome]]


class Drainer:
    """Works off a lane of the queue. While one batch is written the next is embedded.

    An attempt is counted only when the work itself failed, in the embedder or at the item's own write. A server
    that does not answer, refuses this process or asks for less, and a process that is told to stop, cost none.

    Args:
        engine: holds the items.
        queue: says which wait.
        parked: takes what failed too often.
        embedder_of: the embedder of a generation's own space, by generation name.
        clock: seconds since 1970.
        interrupts: exceptions that tell this process to stop, and leave `drain`.
        overlap: write while the next batch is embedded; of no use with an engine inside this process.
    """

    def __init__(
        self,
        engine: SearchEngine,
        queue: WorkQueue,
        parked: ParkedItems,
        embedder_of: Callable[[str], ItemEmbedder],
        clock: Callable[[], float] = time.time,
        interrupts: tuple[type[Exception], ...] = (),
        *,
        overlap: bool = True,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._parked = parked
        self._embedder_of = embedder_of
        self._clock = clock
        self._overlap = overlap
        self._step = STEP
        #: What is no item's fault.
        self._elsewhere: tuple[type[Exception], ...] = (ConfigurationError, Unavailable, *interrupts)

    def drain(self, lane: Lane, seconds: float) -> DrainReport:
        """Work until nothing is due, a server is away or asks for less, or `seconds` have passed."""
        report = DrainReport()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not report.paused:
            try:
                claim = self._queue.claim(lane, STEPS * self._step, LEASE)
                if claim is None:
                    break
                with HeldClaim(self._queue, claim) as held:
                    self._work_off(held, until, report)
            except (ConfigurationError, Unavailable) as error:
                report.paused, report.paused_by = str(error), error.code
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
        report.count("stale", given_up)

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
        report.count("stale", finished)
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
            report.count("without_bundle", [one.claimed.task for one in waiting])
            return
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drain-write") as writer:
            self._embed_steps(held, generation, embedder, self._steps(held, waiting, until), writer, report)

    def _embed_steps(
        self,
        held: HeldClaim,
        generation: str,
        embedder: ItemEmbedder,
        steps: Iterator[Sequence[_Waiting]],
        writer: ThreadPoolExecutor,
        report: DrainReport,
    ) -> None:
        writing: _Written | None = None
        try:
            for step in steps:
                new: list[StoredItem] = []
                with self._counting(held, [one.claimed for one in step], report):
                    new = self._ready(embedder, step)
                    report.batches += 1
                before, writing = writing, None
                self._finish(held, generation, before, report)
                if new:
                    writing = _Written(step, writer.submit(self._engine.write, generation, new, Creation.FORBIDDEN))
                    if not self._overlap:
                        wait([writing.outcomes])
        except BaseException:
            with suppress(SidetowerError):  # also a process that is told to stop says what it has done
                self._finish(held, generation, writing, report)
            raise
        self._finish(held, generation, writing, report)

    def _steps(self, held: HeldClaim, waiting: Sequence[_Waiting], until: float) -> Iterator[Sequence[_Waiting]]:
        """The items in steps, for as long as the claim is ours and there is time."""
        start = 0
        # Loading the bundle or the step before may have taken long; whoever has the claim now goes on with it.
        while start < len(waiting) and held.extend():
            step = waiting[start : start + self._step]
            start += len(step)
            yield step
            if time.monotonic() >= until:
                return

    def _ready(self, embedder: ItemEmbedder, step: Sequence[_Waiting]) -> list[StoredItem]:
        """The items with their vectors; how long it took decides on the size of the next step."""
        items = [one.item for one in step]
        began = time.monotonic()
        vectors = embedder.embed(items)
        seconds = time.monotonic() - began
        if seconds > SLOW:
            self._step = max(STEP, self._step // 2)
        elif seconds < QUICK and len(step) == self._step:
            self._step = min(LARGEST_STEP, self._step * 2)
        now = self._clock()
        return [
            ready(item, vector, space=embedder.space, inputs_hash=embedder.inputs_hash(item), written_at=now)
            for item, vector in zip(items, vectors, strict=True)
        ]

    def _finish(self, held: HeldClaim, generation: str, writing: _Written | None, report: DrainReport) -> None:
        """Take up what became of a step that was being written."""
        if writing is None:
            return
        with self._counting(held, [one.claimed for one in writing.step], report):
            outcomes = writing.outcomes.result()
            finished, failed, busy = [], [], ""
            for one, outcome in zip(writing.step, outcomes, strict=True):
                told = Task(one.claimed.task.work, one.item.revision)
                if outcome.outcome is not Outcome.FAILED:
                    finished.append(told)
                    report.count("embedded" if outcome.outcome is Outcome.WRITTEN else "stale", [told])
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
            report.count("stale", dropped)
        except Exception as error:
            log.exception("a step of %d items failed", len(share))
            self._failed(held, held.open(share), repr(error), report)

    def _failed(self, held: HeldClaim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        last = [one for one in share if one.attempts_alone >= MAX_ATTEMPTS_ALONE]
        self._park(held, last, error, report)
        again = [one for one in share if one not in last]
        held.give_back(again, Attempt.COUNTED, PAUSE)
        report.count("failed", [one.task for one in again])

    def _park(self, held: HeldClaim, share: Sequence[ClaimedTask], error: str, report: DrainReport) -> None:
        if not share:
            return
        now = self._clock()
        self._parked.park(
            [ParkedItem(one.task.work, one.task.revision, one.attempts, error[:500], now) for one in share]
        )
        held.done([one.task for one in share])
        report.count("parked", [one.task for one in share])
