"""Indexing a source: the first bundle and generation where there are none, then a fill that can be repeated."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from domain.catalogue import Kind
from domain.errors import InvalidItem
from domain.items import Item
from domain.ports import ItemSource
from domain.releases import Generation, Release
from indexer.fill import Filler, FillReport
from indexer.releases import begin, finish
from sidetower.parts import Parts, milliseconds
from sidetower.sample import Reservoir

#: Items that the first bundle is built from, at most; a uniform sample of the source.
SAMPLE: Final = 20_000

#: Called with a stage, how far it is, and how far it goes.
Progress = Callable[[str, int, int], None]


def items_of(source: ItemSource, kind: Kind, tenant: str) -> Iterator[Item | InvalidItem]:
    """Every document of the source as an item, or as the error that names its place."""
    told = None if kind.revision else milliseconds()
    for place, document in source.scan():
        if isinstance(document, InvalidItem):
            yield document
        elif isinstance(document, Exception):
            raise document
        else:
            yield _item(place, document, kind, tenant, told)


def _item(place: str, document: Mapping[str, Any], kind: Kind, tenant: str, revision: int | None) -> Item | InvalidItem:
    try:
        return kind.item(document, tenant=tenant, revision=revision)
    except InvalidItem as error:
        return error.at(place)


def sampled(items: Iterator[Item | InvalidItem], size: int = SAMPLE) -> list[Item]:
    """A uniform sample of the readable items, in one pass."""
    reservoir = Reservoir[Item](size)
    for item in items:
        if isinstance(item, Item):
            reservoir.put(item)
    return reservoir.kept


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
    generation = Generation(
        name=f"{kind.name}-g{number}",
        kind=kind.name,
        space=parts.bundle(bundle_id).space,
        text_weights=dict(sorted(kind.text.items(), key=lambda pair: -pair[1])),
        filter_types={name: type_.value for name, type_ in kind.filter.items()},
        created_at=time.time(),
    )
    return begin(parts.releases, parts.generations, generation, bundle_id)


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
            parts.engine, name, parts.embedder_of(name), revised=bool(kind.revision), on_progress=on_progress
        )
        report = filler.fill(items())
        parts.engine.refresh(name)
    finish(parts.releases, kind.name)
    parts.view.forget(kind.name)
    return report
