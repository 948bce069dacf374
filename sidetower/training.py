"""Training: a bundle for the space that is served, from stored items and a file of events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from domain.errors import InvalidItem, ReleaseConflict, Unavailable
from domain.events import Event
from domain.items import Item
from domain.releases import Pointer, Release

if TYPE_CHECKING:
    from domain.catalogue import Kind
    from domain.ports import ItemSource
    from sidetower.parts import Parts

#: Items of one page when they are read back.
PAGE: Final = 500
#: How often a release that changed meanwhile is read again.
TRIES: Final = 5

Watch = Callable[[str, int, int], None]


@dataclass(slots=True)
class ReadEvents:
    """A file of events as it was read."""

    events: list[Event] = field(default_factory=list)
    #: The first of those that could not be read.
    broken: list[InvalidItem] = field(default_factory=list)


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
            found.broken.append(error if isinstance(document, Exception) else error.at(place))
        else:
            if event.object_kind == kind.name:
                found.events.append(event)
    return found


def train(parts: Parts, kind: Kind, events: list[Event], watch: Watch) -> str:
    """Train user tower, scorer and neighbours into the space that the kind is served in; the new bundle's id.

    Raises:
        Unavailable: the kind has no index yet.
        ConfigurationError: too few people, or the training extra is not installed.
    """
    from recommender.training.release import Settings, train_release

    pointer = _current(parts, kind).default
    items = stored_items(parts, pointer.generation)
    checkpoint = parts.config.path / f"training-{kind.name}.npz"
    with tempfile.TemporaryDirectory() as folder:
        base = parts.bundles.path(pointer.bundle)
        made = train_release(base, items, events, Path(folder), watch, Settings(checkpoint=checkpoint))
        bundle = parts.bundles.put(made)
    checkpoint.unlink(missing_ok=True)
    return bundle


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
        ReleaseConflict: somebody else keeps changing the release.
    """
    for _ in range(TRIES):
        held = parts.releases.get(kind.name)
        if held is None:
            break
        release = held.release
        if release.default.bundle == bundle:
            return release
        new = replace(release, default=Pointer(release.default.generation, bundle), previous=release.default)
        try:
            return parts.releases.put(new, held.token).release
        except ReleaseConflict:
            continue
    raise ReleaseConflict(kind.name, expected="its release unchanged", got="other changes", fix="Run it again.")


def _current(parts: Parts, kind: Kind) -> Release:
    held = parts.releases.get(kind.name)
    if held is None:
        fix = "Run sidetower index first."
        raise Unavailable(f"kind {kind.name}", expected="an index", got="none yet", fix=fix)
    return held.release


def _event(document: Mapping[str, Any], kind: Kind, tenant: str) -> Event:
    from domain.catalogue import as_milliseconds

    told = {name: str(document.get(name) or "") for name in ("user_id", "action_name", "object_id")}
    for name, value in told.items():
        if not value:
            raise InvalidItem(f"field {name}", expected="a value", got="nothing", fix="Name it in every event.")
    return Event(
        tenant=str(document.get("tenant") or tenant),
        object_kind=str(document.get("object_kind") or kind.name),
        timestamp=as_milliseconds(document.get("timestamp"), "timestamp") / 1000,
        **told,
    )
