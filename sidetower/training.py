"""Training: a bundle for the space that is served, from stored items and a file of events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from domain.catalogue import as_milliseconds, as_text
from domain.errors import InvalidItem
from domain.events import Event
from domain.items import Item
from domain.releases import Release
from sidetower.rebuilding import steps

if TYPE_CHECKING:
    from domain.catalogue import Kind
    from domain.ports import ItemSource
    from sidetower.judgments import Judgment
    from sidetower.parts import Parts

#: Items of one page when they are read back.
PAGE: Final = 500
#: Broken lines kept with their text; all are counted.
ERRORS_KEPT: Final = 100
#: Of what a calibrated bundle offers, the share that should fit.
PRECISION: Final = 0.8

Watch = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(slots=True)
class ReadLines:
    """A file as it was read."""

    #: How many lines could not be read.
    broken: int = 0
    #: The first of those.
    errors: list[InvalidItem] = field(default_factory=list)

    def each(self, source: ItemSource, parse: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
        """Every line that could be read; the others are counted."""
        for place, document in source.scan():
            try:
                if isinstance(document, Exception):
                    raise document
                yield parse(document)
            except InvalidItem as error:
                self.broken += 1
                if len(self.errors) < ERRORS_KEPT:
                    self.errors.append(error if isinstance(document, Exception) else error.at(place))


@dataclass(slots=True)
class ReadEvents(ReadLines):
    """A file of events."""

    events: list[Event] = field(default_factory=list)


def read_events(source: ItemSource, kind: Kind, tenant: str) -> ReadEvents:
    """Every event of this kind, in the names of UBI: ``user_id``, ``action_name``, ``object_id``, ``timestamp``.

    Args:
        source: where they are; ``object_kind`` and ``tenant`` are read where they stand.
        kind: events that name another kind are left out.
        tenant: whose they are where they do not say.
    """
    found = ReadEvents()
    told = found.each(source, lambda document: _event(document, kind, tenant))
    found.events = [event for event in told if event.object_kind == kind.name]
    return found


def train(
    parts: Parts,
    kind: Kind,
    events: list[Event],
    watch: Watch,
    *,
    judgments: Sequence[Judgment] | None = None,
    hold_out: bool = False,
    precision: float = PRECISION,
) -> str:
    """Train from events, judgments or both into the space that the kind is served in; the new bundle's id.

    Args:
        parts: of the installation.
        kind: of the items.
        events: teach user tower, the scorer's personal part and neighbours.
        watch: told how far it is.
        judgments: teach the scorer's relevance; None = there are none.
        hold_out: leave out the people and queries that `sidetower evaluate` reports on; the manifest tells it.
        precision: of what reaches the threshold of the calibration, the share that should fit.

    Raises:
        Unavailable: the kind has no index yet.
        ConfigurationError: too few people or queries, or the training extra is not installed.
    """
    from recommender.evaluation.splits import is_reported
    from recommender.training.release import Settings, train_release
    from sidetower.calibrating import calibrated
    from sidetower.judgments import judged_queries

    learnt = [event for event in events if not (hold_out and is_reported(event.user_id))]
    pointer = steps(parts, kind).release().default
    items = stored_items(parts, pointer.generation)
    judged = None
    if judgments is not None:
        told = [one for one in judgments if not (hold_out and is_reported(one.query))]
        judged = judged_queries(parts.engine, pointer.generation, parts.bundle(pointer.bundle), told, watch)
    checkpoint = parts.config.path / f"training-{kind.name}.npz"
    with tempfile.TemporaryDirectory() as folder:
        base = parts.bundles.path(pointer.bundle)
        settings = Settings(checkpoint=checkpoint)
        made = train_release(base, items, learnt, Path(folder), watch, settings, judged=judged)
        if learnt:
            _note_events(made, learnt, hold_out=hold_out)
        if judged is not None:
            made = calibrated(made, judged, precision, hold_out=hold_out)
        bundle = parts.bundles.put(made)
    checkpoint.unlink(missing_ok=True)
    return bundle


def _note_events(folder: Path, events: list[Event], *, hold_out: bool) -> None:
    """Write into the manifest what the bundle learnt from; it is no part of the bundle's id."""
    from recommender.evaluation.splits import HELD_OUT, LEARNT_UNTIL, REPORTED_PERCENT
    from recommender.manifest import Manifest

    manifest = Manifest.read(folder)
    learnt = {
        "events": len(events),
        "people": len({(event.tenant, event.user_id) for event in events}),
        LEARNT_UNTIL: max(event.timestamp for event in events),
        HELD_OUT: REPORTED_PERCENT if hold_out else 0,
    }
    replace(manifest, metrics={**manifest.metrics, **learnt}).write(folder)


def stored_items(parts: Parts, generation: str) -> list[Item]:
    """The items of a generation, removed ones left out, in key order."""
    parts.engine.refresh(generation)
    found: list[Item] = []
    after = None
    while page := parts.engine.scan(generation, after, PAGE):
        found += [one.item for one in page if one.item is not None]
        after = page[-1].key
    return found


def serve_bundle(parts: Parts, kind: Kind, bundle: str) -> Release:
    """Serve the kind with this bundle, in the generation that it is served from.

    Raises:
        ReleaseConflict: the kind was rebuilt into another space meanwhile.
    """
    return steps(parts, kind).serve(bundle, parts.bundle(bundle).space)


def _event(document: Mapping[str, Any], kind: Kind, tenant: str) -> Event:
    told = {name: as_text(document.get(name), name) for name in ("user_id", "action_name", "object_id")}
    for name, value in told.items():
        if not value:
            raise InvalidItem(f"field {name}", expected="a value", got="nothing", fix="Name it in every event.")
    return Event(
        tenant=as_text(document.get("tenant"), "tenant") or tenant,
        object_kind=as_text(document.get("object_kind"), "object_kind") or kind.name,
        timestamp=as_milliseconds(document.get("timestamp"), "timestamp") / 1000,
        **told,
    )
