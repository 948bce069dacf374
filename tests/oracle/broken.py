"""Negative controls: wirings in which one guard is off, so that the run has to find what the guard is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

from domain.items import ItemKey, Removal
from domain.ports import ReleaseStore, SearchEngine, WorkQueue
from domain.releases import Release
from domain.versions import Creation, ItemOutcome, StoredItem
from domain.work import Claim, Lane
from indexer.comparison import ComparisonReport
from indexer.releases import ReleaseView
from tests.oracle.storages import Ports
from tests.oracle.world import Clock, Process, Wiring


class _Unguarded:
    """An engine in which the last write wins, whatever its revision."""

    def __init__(self, inner: SearchEngine) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        stored = self._inner.read(generation, [item.key for item in items])
        return self._inner.write(generation, [_above(item, stored.get(item.key)) for item in items], creation)


def _above(new: StoredItem, stored: StoredItem | None) -> StoredItem:
    """The write under a revision that lets it through."""
    if stored is None or new.version > stored.version:
        return new
    return replace(new, change=replace(new.change, revision=stored.change.revision + 1))


class NoRevisionGuard(Wiring):
    """Writes are not compared with what is stored."""

    def ports(self, ports: Ports) -> Ports:
        return ports._replace(engine=cast(SearchEngine, _Unguarded(ports.engine)))


class _Forgetful:
    """An engine that deletes a removed item instead of keeping its tombstone."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def __getattr__(self, name: str) -> object:
        return getattr(self._ports.engine, name)

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        outcomes = self._ports.engine.write(generation, items, creation)
        if any(isinstance(item.change, Removal) for item in items):
            self._ports.engine.refresh(generation)
            self._ports.generations.purge(generation, float("inf"), 100)
        return outcomes


class NoTombstone(Wiring):
    """Removed items leave nothing behind."""

    def ports(self, ports: Ports) -> Ports:
        return ports._replace(engine=cast(SearchEngine, _Forgetful(ports)))


class NoReconcile(Wiring):
    """Nobody looks in the index for what the queue has lost."""

    def requeue(self, process: Process, generation: str, older_than: float) -> int:
        return 0


class NoComparison(Wiring):
    """Nobody looks for what one generation has and another lacks."""

    def compare(self, process: Process) -> ComparisonReport:
        return ComparisonReport(complete=True)


class _Fenceless(ReleaseView):
    """Writes by the last release it has read, however old."""

    def for_writing(self, kind: str) -> Release:
        return self.current(kind) or super().for_writing(kind)


class NoFence(Wiring):
    """A writer that cannot read the release goes on by the one it knows."""

    def view(self, store: ReleaseStore, clock: Clock) -> ReleaseView:
        return _Fenceless(store, clock)


#: What a worker saw before it claimed, by generation.
_Seen = dict[str, dict[ItemKey, StoredItem]]


class _EarlyReader:
    """An engine that answers by what was seen before the claim."""

    def __init__(self, inner: SearchEngine, seen: _Seen) -> None:
        self._inner = inner
        self._seen = seen

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def read(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        seen = self._seen.get(generation, {})
        return {key: seen[key] for key in keys if key in seen}


class _LateClaimer:
    """A queue whose worker looks around first and claims then."""

    def __init__(self, process: Process, seen: _Seen) -> None:
        self._process = process
        self._seen = seen

    def __getattr__(self, name: str) -> object:
        return getattr(self._process.queue, name)

    def claim(self, lane: Lane, limit: int, lease: float) -> Claim | None:
        for generation in self._process.world.release().writing:
            self._process.ports.engine.refresh(generation)
            found = self._process.ports.engine.scan(generation, limit=1_000)
            self._seen[generation] = {one.key: one for one in found}
        return self._process.queue.claim(lane, limit, lease)


class ReadBeforeClaim(Wiring):
    """A worker reads the items first and claims them then."""

    def worker(self, process: Process) -> tuple[SearchEngine, WorkQueue]:
        seen: _Seen = {}
        return cast(SearchEngine, _EarlyReader(process.ports.engine, seen)), cast(
            WorkQueue, _LateClaimer(process, seen)
        )


#: The guards, each with the wiring that lacks it.
BROKEN: Final[dict[str, Wiring]] = {
    "revision guard": NoRevisionGuard(),
    "tombstone": NoTombstone(),
    "reconcile": NoReconcile(),
    "fence": NoFence(),
    "comparison of generations": NoComparison(),
    "read after claim": ReadBeforeClaim(),
}
