"""Refilling: what one generation holds goes into another with its vectors, or gets those that it lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from domain.items import Item, ItemKey
from domain.ports import Checkpoints, ItemEmbedder, ParkedItems, SearchEngine
from domain.vectors import Array
from domain.versions import Outcome, StoredItem, VectorState, pending
from domain.work import WorkKey
from indexer.fill import ERRORS_KEPT, Filler, write_patiently

#: Items of one page at most; the checkpoint moves after each.
PAGE: Final = 1_000
#: What the checkpoint keeps of the report.
_COUNTED: Final = ("read", "failed", "parked")


@dataclass(slots=True)
class RefillReport:
    """What a refill did."""

    #: What the source holds up to where it has come, runs before this one included.
    read: int = 0
    #: Vectors computed.
    embedded: int = 0
    #: Vectors of the source that fit the target too.
    reused: int = 0
    #: Tombstones copied.
    removed: int = 0
    #: There already, or something newer is.
    unchanged: int = 0
    #: Given up before, until a newer revision or `retry`; runs before included.
    parked: int = 0
    #: Without a vector, those of runs before included: the embedder cannot take them. They are stored with their text.
    failed: int = 0
    #: Item and reason of the first of those.
    errors: list[str] = field(default_factory=list)
    #: Whether the end was reached.
    complete: bool = False

    @property
    def written(self) -> int:
        """Items and tombstones that were written."""
        return self.embedded + self.reused + self.removed


class Refill:
    """Copies a generation's items, newest revisions and tombstones, into another one in key order.

    It may be killed anywhere: the next one goes on after the last page. What is in the target already is left alone,
    and what is written to it meanwhile wins by its version. Where source and target are the same, the items that wait
    for their vectors get them.

    Args:
        engine: holds both.
        source: name of the generation that is read.
        target: name of the generation that is written.
        embedder: of the target's own space.
        parked: what is not to be tried again.
        checkpoints: keep how far it has come.
        rate: items a second at most that are written; 0 = as many as can be.
        clock: seconds since 1970.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        engine: SearchEngine,
        source: str,
        target: str,
        embedder: ItemEmbedder,
        parked: ParkedItems,
        checkpoints: Checkpoints,
        *,
        rate: float = 0.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._source = source
        self._target = target
        self._embedder = _Reusing(embedder)
        self._parked = parked
        self._checkpoints = checkpoints
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._in_place = source == target
        self.name = f"refill {target} from {source}"

    def run(
        self,
        stop: Callable[[], bool] = lambda: False,
        on_page: Callable[[RefillReport], None] = lambda _: None,
    ) -> RefillReport:
        """Refill up to the end. Sees what was refreshed when it begins.

        Args:
            stop: asked after each page whether to end here.
            on_page: called after each page with the report so far.

        Raises:
            NotFound: a generation is not there.
            Unavailable: the engine does not answer, or asks for less for long; run it again.
        """
        self._engine.refresh(self._source)
        report = RefillReport()
        after = self._resumed(report)
        # Small pages where few are allowed, so that a second never takes many more.
        limit = min(PAGE, max(1, round(self._rate))) if self._rate else PAGE
        state = VectorState.PENDING if self._in_place else None
        while page := self._engine.scan(self._source, after=after, limit=limit, state=state):
            began, written = time.monotonic(), report.written
            after = page[-1].key
            self._take(page, report)
            report.read += len(page)
            self._reached(after, report)
            on_page(report)
            if stop():
                return report
            if self._rate:
                self._sleep(max(0.0, (report.written - written) / self._rate - (time.monotonic() - began)))
        report.complete = True
        self._checkpoints.forget(self.name)
        return report

    def _resumed(self, report: RefillReport) -> ItemKey | None:
        """The last key of the run before, whose counts are taken over.

        None where it works in place: what was embedded there is pending no more, and what has become pending since
        may stand before any key.
        """
        held = None if self._in_place else self._checkpoints.get(self.name)
        if not held:
            return None
        for name in _COUNTED:
            setattr(report, name, int(held.get(name, 0)))
        return ItemKey(*held["after"])

    def _reached(self, key: ItemKey, report: RefillReport) -> None:
        if not self._in_place:
            counts = {name: getattr(report, name) for name in _COUNTED}
            self._checkpoints.put(self.name, {"after": [key.tenant, key.kind, key.id]} | counts)

    def _take(self, page: Sequence[StoredItem], report: RefillReport) -> None:
        held = {} if self._in_place else self._engine.read(self._target, [one.key for one in page])
        behind = [one for one in page if not _is_level(one, held.get(one.key))]
        works = {WorkKey(one.key, self._target): one.change.revision for one in behind}
        given_up = {one.work.key for one in self._parked.get(list(works)) if one.revision >= works[one.work]}
        report.parked += len(given_up)
        report.unchanged += len(page) - len(behind)
        tombstones = [one for one in behind if one.item is None]
        # As they are: their age counts for how long they are kept.
        report.removed += self._write(tombstones, report)
        items = [one.item for one in behind if one.item is not None and one.key not in given_up]
        left = [one.item for one in behind if one.item is not None and one.key in given_up]
        if left and not self._in_place:
            self._write([pending(item, self._clock()) for item in left], report)
        self._fill(items, page, report)

    def _fill(self, items: Sequence[Item], page: Sequence[StoredItem], report: RefillReport) -> None:
        self._embedder.begin(page)
        done = Filler(self._engine, self._target, self._embedder, clock=self._clock).fill(items)
        report.failed += done.failed + done.conflicting
        report.errors += done.errors[: ERRORS_KEPT - len(report.errors)]
        report.embedded += self._embedder.embedded
        report.reused += self._embedder.reused

    def _write(self, items: Sequence[StoredItem], report: RefillReport) -> int:
        """Write these as they are; how many were not refused."""
        outcomes = write_patiently(self._engine, self._target, items, self._sleep)
        refused = [one for one in outcomes if one.outcome is Outcome.FAILED]
        report.failed += len(refused)
        report.errors += [f"{one.key}: {one.reason}" for one in refused[: ERRORS_KEPT - len(report.errors)]]
        return len(items) - len(refused)


class _Reusing:
    """An embedder that computes no vector that it has been shown."""

    def __init__(self, embedder: ItemEmbedder) -> None:
        self.space = embedder.space
        self._embedder = embedder
        self._known: dict[ItemKey, tuple[str, Array]] = {}
        self.embedded = self.reused = 0

    def begin(self, page: Sequence[StoredItem]) -> None:
        """Count anew, and know the vectors of this page that are of the right space."""
        self.embedded = self.reused = 0
        self._known = {
            one.key: (one.inputs_hash, one.vector)
            for one in page
            if one.vector is not None and one.space == self._embedder.space
        }

    def inputs_hash(self, item: Item) -> str:
        """As the embedder's own."""
        return self._embedder.inputs_hash(item)

    def embed(self, items: Sequence[Item]) -> Array:
        """Unit vectors ``[n, 128]``."""
        fresh = [item for item in items if self._known.get(item.key, ("",))[0] != self.inputs_hash(item)]
        computed = self._embedder.embed(fresh) if fresh else ()
        vectors = {item.key: vector for item, vector in zip(fresh, computed, strict=True)}
        self.embedded += len(fresh)
        self.reused += len(items) - len(fresh)
        return np.stack([vectors[item.key] if item.key in vectors else self._known[item.key][1] for item in items])


def _is_level(one: StoredItem, there: StoredItem | None) -> bool:
    """Whether nothing of it is to be written to where this is stored."""
    if there is None or there.change.revision < one.change.revision:
        return False
    if there.change.revision > one.change.revision or there.change.content_hash != one.change.content_hash:
        return True  # newer, or for the comparison of generations to settle
    return there.vector_state is not VectorState.PENDING
