"""What processes do, the steps of design section 6 included: calls of the indexer, and what an operator tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.errors import ReleaseConflict
from domain.items import Item, ItemKey, Removal
from domain.releases import Pointer, Release
from domain.versions import pending
from domain.work import Lane
from indexer.comparison import ComparisonReport
from indexer.fill import Filler
from indexer.tombstones import purge_tombstones
from tests.oracle.world import KIND, Process, poisoned

#: What an operator does, one after the other.
STEPS = ("prepare", "fill_second", "promote", "roll_back", "stop_writing", "drop")
#: A drain of the runs ends when nothing is due, not when its time is up.
_FOR_EVER = float("inf")


def drain(process: Process) -> None:
    """A worker works off the live lane."""
    process.drainer.drain(Lane.LIVE, _FOR_EVER)


def reconcile(process: Process, older_than: float) -> int:
    """What workers do once a minute, as `sidetower.embedding.reconcile` does."""
    release = process.view.current(KIND)
    if release is None:
        return 0
    queued = sum(process.world.wiring.requeue(process, name, older_than) for name in release.writing)
    purge_tombstones(process.ports.generations, process.view.for_writing(KIND), clock=process.world.clock)
    return queued


def compare(process: Process) -> ComparisonReport:
    """The comparison of the generations being written."""
    return process.world.wiring.compare(process)


def purge(process: Process, horizon: float) -> int:
    """Forget tombstones past this horizon."""
    view = process.view
    return purge_tombstones(
        process.ports.generations, view.for_writing(KIND), horizon=horizon, clock=process.world.clock
    )


def fill(process: Process, items: Sequence[Item]) -> tuple[str, ...]:
    """`sidetower index`: every generation being written takes these items; which ones those were."""
    writing = process.view.for_writing(KIND).writing
    for name in writing:
        Filler(process.ports.engine, name, process.world.embedder_of(name), clock=process.world.clock).fill(items)
    return writing


def prepare(process: Process, space: str) -> None:
    """A second generation is made, and every change goes there too from now on."""
    name = process.world.make_generation(space, process.ports.generations)
    _change(process, lambda old: replace(old, writing=(*old.writing, name), filling=(name,)))


def fill_second(process: Process) -> None:
    """The second generation is filled from the items of the first, tombstones included."""
    engine, world = process.ports.engine, process.world
    held = process.ports.releases.get(KIND)
    assert held is not None
    first, second = held.release.writing
    engine.refresh(first)
    filler = Filler(engine, second, world.embedder_of(second), clock=world.clock)
    after: ItemKey | None = None
    while page := engine.scan(first, after=after, limit=3):
        after = page[-1].key
        vectorless = [one for one in page if isinstance(one.change, Removal) or poisoned(one.change)]
        filler.fill([one.change for one in page if isinstance(one.change, Item) and not poisoned(one.change)])
        if vectorless:
            engine.write(second, [pending(one.change, one.written_at) for one in vectorless])
    _change(process, lambda old: replace(old, filling=()))


def promote(process: Process) -> None:
    """The second generation is served, if it is level with the first."""
    report = compare(process)
    if report.complete and not report.differences:
        _change(process, _promoted)


def roll_back(process: Process) -> None:
    """What was served before is served again."""
    _change(process, _rolled_back)


def stop_writing(process: Process, name: str) -> None:
    """A generation takes no change any more."""
    _change(process, lambda old: _without(old, name))


def drop(process: Process, name: str) -> None:
    """A generation that nobody writes is deleted."""
    process.ports.generations.drop(name)


def _promoted(old: Release) -> Release:
    new = next(name for name in old.writing if name != old.default.generation)
    return replace(old, default=Pointer(new, "bundle-2"), previous=old.default)


def _rolled_back(old: Release) -> Release:
    assert old.previous is not None
    return replace(old, default=old.previous, previous=old.default)


def _without(old: Release, name: str) -> Release:
    left = tuple(one for one in old.writing if one != name)
    previous = old.previous if old.previous and old.previous.generation != name else None
    return replace(old, writing=left, filling=tuple(one for one in old.filling if one != name), previous=previous)


def _change(process: Process, change: Callable[[Release], Release]) -> None:
    """Change the release by compare-and-set; changing it to what it is already is no change."""
    while True:
        held = process.ports.releases.get(KIND)
        assert held is not None
        new = change(held.release)
        if new == held.release:
            return
        try:
            process.ports.releases.put(new, held.token)
        except ReleaseConflict:
            continue
        return
