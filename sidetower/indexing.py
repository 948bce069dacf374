"""Indexing a source: the first bundle and generation where there are none, then a fill that can be repeated."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from domain.catalogue import Kind
from domain.errors import Busy, InvalidItem
from domain.items import Change, Item, Removal
from domain.ports import ItemSource
from domain.releases import Generation, Release
from domain.versions import ItemOutcome, Outcome, StoredItem
from indexer.fill import Filler, FillReport
from indexer.releases import begin, finish
from sidetower.parts import Parts, milliseconds
from sidetower.sample import Reservoir

#: Items that the first bundle is built from, at most; a uniform sample of the source.
SAMPLE: Final = 20_000
#: Removals written at once.
REMOVALS: Final = 500

T = TypeVar("T")

#: Called with a stage, how far it is, and how far it goes.
Progress = Callable[[str, int, int], None]


def items_of(source: ItemSource, kind: Kind, tenant: str) -> Iterator[Item | InvalidItem]:
    """Every document of the source as an item, or as the error that names its place; none that is marked as removed."""
    return (one for one in changes_of(source, kind, tenant) if not isinstance(one, Removal))


def changes_of(source: ItemSource, kind: Kind, tenant: str) -> Iterator[Change | InvalidItem]:
    """Every document of the source as an item or its removal, or as the error that names its place."""
    told = None if kind.revision else milliseconds()
    for place, document in source.scan():
        if isinstance(document, InvalidItem):
            yield document
        elif isinstance(document, Exception):
            raise document
        else:
            yield _change(place, document, kind, tenant, told)


def _change(
    place: str, document: Mapping[str, Any], kind: Kind, tenant: str, revision: int | None
) -> Change | InvalidItem:
    try:
        return kind.change(document, tenant=tenant, revision=revision)
    except InvalidItem as error:
        return error.at(place)


def sampled(items: Iterator[Item | InvalidItem], size: int = SAMPLE) -> list[Item]:
    """A uniform sample of the readable items, in one pass."""
    reservoir = Reservoir[Item](size)
    for item in items:
        if isinstance(item, Item):
            reservoir.put(item)
    return reservoir.kept


def paced(items: Iterator[T], rate: float) -> Iterator[T]:
    """The items, at most so many a second; 0 = as fast as they are taken."""
    began = time.monotonic()
    for number, item in enumerate(items):
        if rate and (early := number / rate - (time.monotonic() - began)) > 0:
            time.sleep(early)
        yield item


class Passes:
    """Passes over a source for a fill: each gives the items, and the first one writes what is marked as removed.

    Args:
        parts: take the removals.
        source: where the documents are.
        kind: how they are read.
        tenant: whose they are; "" = told by each document.
    """

    def __init__(self, parts: Parts, source: ItemSource, kind: Kind, tenant: str) -> None:
        self.source = source
        self.tenant = tenant
        self._parts = parts
        self._kind = kind
        self._begun = False
        #: Documents that were marked as removed.
        self.marked = 0

    def items(self) -> Iterator[Item | InvalidItem]:
        """A fresh pass.

        Raises:
            Busy: the engine asks for less while removals are written.
        """
        first, self._begun = not self._begun, True
        held: list[Removal] = []
        for one in changes_of(self.source, self._kind, self.tenant):
            if not isinstance(one, Removal):
                yield one
            elif first:
                held.append(one)
                if len(held) == REMOVALS:
                    yield from self._remove(held)
                    held = []
        yield from self._remove(held)

    def _remove(self, removals: Sequence[Removal]) -> Iterator[InvalidItem]:
        self.marked += len(removals)
        writing = self._parts.view.for_writing(self._kind.name).writing
        pages = [self._parts.engine.read(name, [one.key for one in removals]) for name in writing]
        left = [one for one in removals if not all(self._is_gone(one, page.get(one.key)) for page in pages)]
        for outcome in self._parts.live.apply(left):
            if outcome.busy:
                fix = "Wait, then run the same command again: it goes on where it stopped."
                raise Busy(self._kind.name, expected="room for more writes", got=outcome.reason, fix=fix)
            if outcome.outcome in (Outcome.FAILED, Outcome.CONFLICTING_REVISION):
                yield _not_removed(outcome)

    def _is_gone(self, removal: Removal, stored: StoredItem | None) -> bool:
        """Whether the tombstone is there already; without revisions, of whatever moment."""
        if stored is None or stored.item is not None:
            return False
        return not self._kind.revision or stored.change.revision >= removal.revision


def _not_removed(outcome: ItemOutcome) -> InvalidItem:
    got = outcome.reason or "the same revision is stored with other content"
    fix = "Mark the removal with a higher revision."
    return InvalidItem(str(outcome.key), expected="its removal stored", got=got, fix=fix)


def build_bundle(parts: Parts, kinds: Sequence[Kind], items: Sequence[Item], encoder: str, progress: Progress) -> str:
    """The id of a new bundle zero, built from these items and stored.

    Raises:
        InvalidItem: there is no item to build from.
        ConfigurationError: the train (or text) extra is not installed.
    """
    if not items:
        raise InvalidItem(
            "catalogue",
            expected="at least one readable item",
            got="none",
            fix="Run `sidetower check` with the same file to see what is wrong with its documents.",
        )
    from recommender.training.zero import build_bundle_zero

    parts.config.path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=parts.config.path) as folder:
        built = build_bundle_zero(kinds, items, encoder, Path(folder), progress)
        bundle_id = parts.bundles.put(built)
        shutil.rmtree(built, ignore_errors=True)
    return bundle_id


def first_generation(parts: Parts, kind: Kind, bundle_id: str) -> Release:
    """The release of a kind that had none, its first generation in the bundle's space."""
    taken = {one.name for one in parts.generations.all()}
    number = next(n for n in range(1, len(taken) + 2) if f"{kind.name}-g{n}" not in taken)
    generation = generation_of(kind, f"{kind.name}-g{number}", parts.bundle(bundle_id).space)
    return begin(parts.releases, parts.generations, generation, bundle_id)


def generation_of(kind: Kind, name: str, space: str) -> Generation:
    """The record of a new generation of the kind, as it is configured now."""
    return Generation(
        name=name,
        kind=kind.name,
        space=space,
        text_weights=dict(sorted(kind.text.items(), key=lambda pair: -pair[1])),
        filter_types={name: type_.value for name, type_ in kind.filter.items()},
        created_at=time.time(),
        audience=kind.audience,
    )


def fill_kind(
    parts: Parts,
    kind: Kind,
    items: Callable[[], Iterator[Item | InvalidItem]],
    on_progress: Callable[[FillReport], None],
) -> FillReport:
    """Fill every generation that is written with these items, then serve it; safe to interrupt and run again.

    Args:
        items: makes a fresh pass over the source.
        on_progress: called after each batch.
    """
    release = parts.view.for_writing(kind.name)
    report = FillReport()
    for name in release.writing:
        filler = Filler(
            parts.engine,
            name,
            parts.embedder_of(name),
            revised=bool(kind.revision),
            on_progress=on_progress,
            overlap=not parts.embedded,
        )
        report = filler.fill(items())
        parts.engine.refresh(name)
    finish(parts.releases, kind.name)
    parts.view.forget(kind.name)
    return report
