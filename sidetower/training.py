"""Training: a bundle for the space that is served, from stored items and a file of events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from domain.catalogue import as_milliseconds, as_text
from domain.errors import InvalidItem
from domain.events import Event
from domain.items import Item
from domain.releases import Release
from sidetower.evaluating import HELD_OUT, LEARNT_UNTIL
from sidetower.rebuilding import steps

if TYPE_CHECKING:
    from domain.catalogue import Kind
    from domain.ports import ItemSource
    from sidetower.parts import Parts

#: Items of one page when they are read back.
PAGE: Final = 500
#: Broken events kept with their text; all are counted.
ERRORS_KEPT: Final = 100

Watch = Callable[[str, int, int], None]


@dataclass(slots=True)
class ReadEvents:
    """A file of events as it was read."""

    events: list[Event] = field(default_factory=list)
    #: How many could not be read.
    broken: int = 0
    #: The first of those.
    errors: list[InvalidItem] = field(default_factory=list)

    def tell(self, error: InvalidItem) -> None:
        """Count an event that could not be read."""
        self.broken += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(error)


def read_events(source: ItemSource, kind: Kind, tenant: str) -> ReadEvents:
    """Every event of this kind, in the names of UBI: ``user_id``, ``action_name``, ``object_id``, ``timestamp``.

    Args:
        source: where they are; ``object_kind`` and ``tenant`` are read where they stand.
        kind: events that name another kind are left out.
        tenant: whose they are where they do not say.
    """
    found = ReadEvents()
    for place, document in source.scan():
        try:
            if isinstance(document, Exception):
                raise document
            event = _event(document, kind, tenant)
        except InvalidItem as error:
            found.tell(error if isinstance(document, Exception) else error.at(place))
        else:
            if event.object_kind == kind.name:
                found.events.append(event)
    return found


def train(parts: Parts, kind: Kind, events: list[Event], watch: Watch, *, hold_out: bool = False) -> str:
    """Train user tower, scorer and neighbours into the space that the kind is served in; the new bundle's id.

    Args:
        hold_out: leave out the people whom `sidetower evaluate` reports on; the manifest tells it.

    Raises:
        Unavailable: the kind has no index yet.
        ConfigurationError: too few people, or the training extra is not installed.
    """
    from recommender.evaluation.splits import is_reported
    from recommender.training.release import Settings, train_release

    learnt = [event for event in events if not (hold_out and is_reported(event.user_id))]
    pointer = steps(parts, kind).release().default
    items = stored_items(parts, pointer.generation)
    checkpoint = parts.config.path / f"training-{kind.name}.npz"
    with tempfile.TemporaryDirectory() as folder:
        base = parts.bundles.path(pointer.bundle)
        made = train_release(base, items, learnt, Path(folder), watch, Settings(checkpoint=checkpoint))
        _note_events(made, learnt, hold_out=hold_out)
        bundle = parts.bundles.put(made)
    checkpoint.unlink(missing_ok=True)
    return bundle


def _note_events(folder: Path, events: list[Event], *, hold_out: bool) -> None:
    """Write into the manifest what the bundle learnt from; it is no part of the bundle's id."""
    from recommender.evaluation.splits import REPORTED_PERCENT
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
