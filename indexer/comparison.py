"""Comparison: the generations of a kind that are written hold the same, or are made to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from domain.errors import Unavailable
from domain.items import ItemKey, Removal
from domain.ports import Generations, SearchEngine, WorkQueue
from domain.versions import Outcome, StoredItem, VectorState, pending, repaired
from domain.work import Lane, Task, WorkKey
from indexer.releases import ReleaseView

log = logging.getLogger(__name__)

#: Keys of one page.
PAGE: Final = 500
#: Seconds after which a difference is one: until then the same change may be on its way to the other generation.
SETTLED_AFTER: Final = 10.0
#: While this many tasks wait the workers have enough to do.
LOW: Final = 1_000
#: Seconds between two scheduled passes over a kind.
EVERY: Final = 600.0


@dataclass(slots=True)
class ComparisonReport:
    """What a comparison found and did; differences are counted once for each generation that was behind."""

    #: Keys that were looked at.
    compared: int = 0
    #: Items, or tombstones, that a generation lacked.
    missing: int = 0
    #: Older revisions than another generation held.
    older: int = 0
    #: Other contents of the same revision.
    conflicting: int = 0
    #: Keys that differ since less than `SETTLED_AFTER` seconds; left alone.
    young: int = 0
    #: Differences that are gone now.
    repaired: int = 0
    #: Differences that the engine did not let be repaired; the log says why.
    failed: int = 0
    #: Whether the end was reached.
    complete: bool = False
    #: Why it stopped before; "" when it came to the end, or to the last page it was given.
    paused: str = ""

    @property
    def differences(self) -> int:
        """All that were found, repaired or not; the young ones are not among them."""
        return self.missing + self.older + self.conflicting


@dataclass(frozen=True, slots=True)
class _Pass:
    """One walk over all keys of a kind."""

    #: What is compared, the oldest generation first.
    writing: tuple[str, ...]
    #: Those of them in which a missing item is no difference.
    filling: frozenset[str]
    #: The last key that was compared.
    after: ItemKey | None = None
    #: When it came to its end.
    ended: float | None = None


@dataclass(slots=True)
class _Repairs:
    """What is to be written, by generation."""

    writes: dict[str, list[StoredItem]] = field(default_factory=dict)
    contested: list[ItemKey] = field(default_factory=list)

    def add(self, generation: str, stored: StoredItem) -> None:
        """One more write."""
        self.writes.setdefault(generation, []).append(stored)


class Comparison:
    """Walks the generations of a kind side by side, in key order, and repairs what differs, both ways.

    The newest revision wins, whichever generation holds it: it is written to the others as content alone (or as the
    tombstone that it is), and queued. One revision with two contents is settled by a rule that no order of events
    changes: what was settled before stands, else what the generation that was made first holds. A change that every
    generation took, and only such a one is acknowledged as written, therefore never loses against one that was
    refused in some. The phase is no difference: what is pending is found by `requeue_pending`.

    It may be interrupted anywhere and run by several processes at once: every repair is a versioned write of what was
    read a moment ago. Memory: a page of each generation. For one thread at a time.

    Args:
        engine: holds the items.
        generations: say which generation was made first.
        view: says which are written, within the fence.
        queue: takes what waits for a vector after its repair.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        engine: SearchEngine,
        generations: Generations,
        view: ReleaseView,
        queue: WorkQueue,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._generations = generations
        self._view = view
        self._queue = queue
        self._clock = clock
        self._passes: dict[str, _Pass] = {}

    def run(self, kind: str, pages: int | None = None) -> ComparisonReport:
        """Compare the kind's generations up to the end, going on where the last run of this object stopped.

        A kind of which one generation is written is complete at once. Sees what was refreshed when it began; what it
        then repairs is read anew.

        Args:
            kind: its name.
            pages: stop after so many pages of 500 keys; None = only at the end, or while the queue is not low.

        Raises:
            StaleRelease: the fence; nothing more is written.
            Unavailable: a server does not answer, or there is no release yet; run it again.
            NotFound: a generation was dropped meanwhile; run it again.
        """
        report = ComparisonReport()
        for name in self._current(kind).writing:
            self._engine.refresh(name)
        while not (report.complete or report.paused or pages == 0):
            now = self._current(kind)
            if len(now.writing) > 1 and (waiting := self._queue.depth(Lane.LIVE).waiting) >= LOW:
                report.paused = f"{waiting} items wait for their vectors already"
                break
            self._passes[kind] = now = self._page(now, report)
            report.complete = now.ended is not None
            pages = None if pages is None else pages - 1
        return report

    def due(self, kind: str) -> bool:
        """Whether to run it by schedule: several generations are written, and no pass over them ended just now."""
        last = self._passes.get(kind)
        if len(self._view.for_writing(kind).writing) < 2:
            return False
        ended = None if last is None or last.writing != self._order(kind) else last.ended
        return ended is None or self._clock() - ended >= EVERY

    def _current(self, kind: str) -> _Pass:
        """Where the pass stands; a new one when the last has ended or what is written has changed."""
        release = self._view.for_writing(kind)
        begun = self._passes.get(kind)
        filling = frozenset(release.filling)
        if begun is None or begun.ended is not None or set(begun.writing) != set(release.writing):
            return _Pass(self._order(kind), filling)
        return replace(begun, filling=filling)

    def _order(self, kind: str) -> tuple[str, ...]:
        made = {one.name: one.created_at for one in self._generations.all()}
        return tuple(sorted(self._view.for_writing(kind).writing, key=lambda name: (made.get(name, 0.0), name)))

    def _page(self, now: _Pass, report: ComparisonReport) -> _Pass:
        """The pass after one page more; where it was, when the engine asks for less."""
        if len(now.writing) < 2:
            return replace(now, ended=self._clock())
        pages = {name: self._engine.scan(name, now.after, PAGE) for name in now.writing}
        # Up to here every generation has shown all that it holds.
        ends = [page[-1].key for page in pages.values() if len(page) == PAGE]
        end = min(ends, default=None)
        shown = {name: {one.key: one for one in page if end is None or one.key <= end} for name, page in pages.items()}
        keys = {key for found in shown.values() for key in found}
        suspicious = sorted(key for key in keys if _differ(key, shown, now))
        if suspicious:
            self._repair(suspicious, now, report)
        if report.paused:
            return now
        report.compared += len(keys)
        return replace(now, after=end, ended=self._clock() if end is None else None)

    def _repair(self, keys: Sequence[ItemKey], now: _Pass, report: ComparisonReport) -> None:
        stored = {name: self._engine.read(name, keys) for name in now.writing}
        repairs = _Repairs()
        for key in keys:
            if _differ(key, stored, now):
                self._compare(key, stored, now, repairs, report)
        if repairs.contested:
            log.warning(
                "%d items had two contents at one revision, in %s; they are given one, for example %s",
                len(repairs.contested),
                " and ".join(now.writing),
                repairs.contested[0],
            )
        for name, writes in repairs.writes.items():
            self._write(name, writes, report)

    def _compare(
        self,
        key: ItemKey,
        stored: Mapping[str, Mapping[ItemKey, StoredItem]],
        now: _Pass,
        repairs: _Repairs,
        report: ComparisonReport,
    ) -> None:
        found = {name: stored[name].get(key) for name in now.writing}
        held = [one for one in found.values() if one is not None]
        newest = max(one.change.revision for one in held)
        best = [one for one in held if one.change.revision == newest]
        if abs(self._clock() - max(one.written_at for one in best)) < SETTLED_AFTER:
            report.young += 1
            return
        winner = next((one for one in best if one.repaired), best[0])
        # A removal keeps its time, and with it the horizon of its tombstone.
        at = winner.written_at if isinstance(winner.change, Removal) else self._clock()
        for name, one in found.items():
            if one is None:
                report.missing += 1
                repairs.add(name, pending(winner.change, at))
            elif one.change.revision < newest:
                report.older += 1
                repairs.add(name, pending(winner.change, at))
            elif one.change.content_hash != winner.change.content_hash:
                report.conflicting += 1
                repairs.contested.append(key)
                repairs.add(name, repaired(winner.change, at))

    def _write(self, generation: str, writes: Sequence[StoredItem], report: ComparisonReport) -> None:
        waiting = []
        for new, outcome in zip(writes, self._engine.write(generation, writes), strict=True):
            if outcome.busy:
                report.paused = outcome.reason
            elif outcome.outcome is Outcome.WRITTEN:
                report.repaired += 1
                if new.vector_state is VectorState.PENDING:
                    waiting.append(Task(WorkKey(new.key, generation), new.change.revision))
            elif outcome.outcome is not Outcome.STALE:  # told anew meanwhile is as good as repaired
                report.failed += 1
                log.warning("%s in %s was not repaired: %s", new.key, generation, outcome.reason or outcome.outcome)
        if waiting:
            self._enqueue(waiting)

    def _enqueue(self, tasks: Sequence[Task]) -> None:
        try:
            self._queue.add(tasks, Lane.LIVE)
        except Unavailable as error:
            log.warning("%d repaired items wait for reconcile instead of the queue: %s", len(tasks), error)


def _differ(key: ItemKey, stored: Mapping[str, Mapping[ItemKey, StoredItem]], now: _Pass) -> bool:
    """Whether some generation holds something else of the key, or lacks it and should not."""
    found = {name: stored[name].get(key) for name in now.writing}
    held = {(one.change.revision, one.change.content_hash) for one in found.values() if one is not None}
    lacking = {name for name, one in found.items() if one is None}
    return len(held) > 1 or bool(held and lacking - now.filling)
