"""Releases: which generation and bundle a kind is served from, in one small document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Generation:
    """One index of one kind, filled in one space."""

    #: Name of the index, unique in the engine: ``listing-g1``.
    name: str
    kind: str
    #: The only space whose vectors it may hold.
    space: str
    #: Text fields and their weights, heaviest first; the first is the title.
    text_weights: Mapping[str, float]
    #: Filter fields and their types: ``keyword``, ``number``, ``boolean``, ``date``.
    filter_types: Mapping[str, str] = field(default_factory=dict)
    #: Seconds since 1970.
    created_at: float = 0.0
    #: The host's field that lists who may see an item; "" = everyone may see every item; None = made by a version of
    #: Sidetower that did not write it down.
    audience: str | None = None

    def same_make(self, other: Generation) -> bool:
        """Whether both hold the same documents: all is equal but the time, as far as each of them knows."""
        audiences = {one.audience for one in (self, other)} - {None}
        return len(audiences) < 2 and replace(self, created_at=other.created_at, audience=other.audience) == other


@dataclass(frozen=True, slots=True)
class GenerationCounts:
    """What one tenant has in one generation."""

    tenant: str
    #: Items that are not tombstones.
    items: int
    #: Items that wait for their vector.
    pending: int
    #: Tombstones.
    removed: int
    #: When the oldest pending item was written, seconds since 1970; 0 when none is pending.
    oldest_pending: float
    #: Items with their vector that were last written since the moment that was asked for.
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Pointer:
    """A generation and the bundle it is served with."""

    generation: str
    bundle: str


class Stage(StrEnum):
    """Where a kind stands."""

    #: The first generation is being filled; it is served as far as it has come.
    BUILDING = "building"
    SERVING = "serving"


@dataclass(frozen=True, slots=True)
class Release:
    """What a kind (and each tenant) is served from, and which generations are written."""

    kind: str
    default: Pointer
    #: Every generation that takes changes.
    writing: tuple[str, ...]
    state: Stage
    #: Tenants that are served from elsewhere.
    tenants: Mapping[str, Pointer] = field(default_factory=dict)
    #: What `default` was before; the roll-back target.
    previous: Pointer | None = None
    #: Those of `writing` that a fill has not come to the end of: what they lack is on its way.
    filling: tuple[str, ...] = ()

    def pointer(self, tenant: str) -> Pointer:
        """What this tenant is served from."""
        return self.tenants.get(tenant, self.default)

    def to_document(self) -> dict[str, Any]:
        """The release as the engine stores it."""
        return {
            "kind": self.kind,
            "default": _pointer_document(self.default),
            "writing": list(self.writing),
            "state": self.state.value,
            "tenants": {tenant: _pointer_document(pointer) for tenant, pointer in self.tenants.items()},
            "previous": _pointer_document(self.previous) if self.previous else None,
            "filling": list(self.filling),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Release:
        """The release that `to_document` wrote."""
        previous = document.get("previous")
        return cls(
            kind=document["kind"],
            default=Pointer(**document["default"]),
            writing=tuple(document["writing"]),
            state=Stage(document["state"]),
            tenants={tenant: Pointer(**pointer) for tenant, pointer in document.get("tenants", {}).items()},
            previous=Pointer(**previous) if previous else None,
            filling=tuple(document.get("filling", ())),
        )


def _pointer_document(pointer: Pointer) -> dict[str, str]:
    return {"generation": pointer.generation, "bundle": pointer.bundle}


@dataclass(frozen=True, slots=True)
class Held:
    """A release as read, with the token that a change must present."""

    release: Release
    #: Opaque; changes with every write.
    token: str
