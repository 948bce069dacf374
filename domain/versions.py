"""The version scheme: what makes a newer write win, under any order, repetition or crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, StrEnum

from domain.items import Change, Item, ItemKey, Removal
from domain.vectors import Array


class Phase(IntEnum):
    """How far a revision has come in the index; a document only moves upward within a revision."""

    #: The item's content, or its tombstone.
    CONTENT = 0
    #: The same revision with its vector.
    VECTOR = 1


class VectorState(StrEnum):
    """Whether a stored item can be found by vector."""

    PENDING = "pending"
    READY = "ready"
    #: A tombstone has no vector and waits for none.
    REMOVED = "removed"


class Creation(Enum):
    """Whether a write may create the document."""

    ALLOWED = "allowed"
    #: A vector write: a document that is not there is stale, never made.
    FORBIDDEN = "forbidden"


class Outcome(StrEnum):
    """What became of one write."""

    #: Stored, or already stored with the same content.
    WRITTEN = "written"
    #: A newer revision is stored, or the document that a vector belonged to is gone.
    STALE = "stale"
    #: The same revision is stored with other content; the stored one stays.
    CONFLICTING_REVISION = "conflicting_revision"
    #: Not stored, for the reason given.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One document of a generation: a change, and its vector once there is one."""

    change: Change
    phase: Phase
    vector_state: VectorState
    #: Unit vector ``[128]``; None unless `vector_state` is ready.
    vector: Array | None = None
    #: Space of the vector; empty without one.
    space: str = ""
    #: Hash of what the item tower read for this vector; empty without one.
    inputs_hash: str = ""
    #: When this phase was written, seconds since 1970.
    written_at: float = 0.0
    #: Not told by the host at this revision but decided by Sidetower: it stands above all that was told (`repaired`).
    repaired: bool = False

    @property
    def key(self) -> ItemKey:
        """The item's key."""
        return self.change.key

    @property
    def version(self) -> int:
        """4 x revision + phase, and 2 more for what Sidetower repaired."""
        return 4 * self.change.revision + 2 * self.repaired + self.phase

    @property
    def item(self) -> Item | None:
        """The item, or None for a tombstone."""
        return self.change if isinstance(self.change, Item) else None


@dataclass(frozen=True, slots=True)
class Changes:
    """What was written into a generation since a mark."""

    #: Where to read on; the engine's own words.
    mark: str
    #: Items written since then, each at least once; None when anything may have changed.
    keys: frozenset[ItemKey] | None


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one item of a bulk call."""

    key: ItemKey
    outcome: Outcome
    #: Why, when it failed.
    reason: str = ""
    #: The failure was back-pressure: the same write can succeed later and no attempt is counted.
    busy: bool = False


def pending(change: Change, written_at: float) -> StoredItem:
    """Phase 0: an item that waits for its vector, or a tombstone."""
    state = VectorState.REMOVED if isinstance(change, Removal) else VectorState.PENDING
    return StoredItem(change, Phase.CONTENT, state, written_at=written_at)


def ready(item: Item, vector: Array, *, space: str, inputs_hash: str, written_at: float) -> StoredItem:
    """Phase 1: an item with its vector ``[128]``."""
    return StoredItem(item, Phase.VECTOR, VectorState.READY, vector, space, inputs_hash, written_at)


def repaired(change: Change, written_at: float) -> StoredItem:
    """Phase 0 of a repair: the only write that replaces what is stored at the same revision.

    It settles what the version of a told change cannot: one revision with two contents, one in each generation, and
    a vector of a space that is not the generation's. Phases 2 and 3 of a revision are kept for such decisions of
    Sidetower's own.
    """
    return replace(pending(change, written_at), repaired=True)


def judge(new: StoredItem, stored: StoredItem | None, creation: Creation) -> Outcome | None:
    """What becomes of a write onto what is stored: None means "store it".

    This is the whole rule; every engine keeps it, whatever its own means.
    """
    if stored is None:
        return None if creation is Creation.ALLOWED else Outcome.STALE
    if stored.change.revision > new.change.revision:
        return Outcome.STALE
    if stored.change.revision == new.change.revision:
        if new.repaired and not stored.repaired:
            return None
        if stored.change.content_hash != new.change.content_hash:
            return Outcome.CONFLICTING_REVISION
        return None if new.phase > stored.phase else Outcome.WRITTEN
    # A vector belongs to one revision: it never carries an older document forward.
    return None if creation is Creation.ALLOWED else Outcome.STALE


def onto(new: StoredItem, stored: StoredItem | None) -> StoredItem:
    """What a write that `judge` lets through is stored as: the vector of a repaired revision belongs to the repair."""
    if stored is None or not stored.repaired or stored.change.revision != new.change.revision:
        return new
    return replace(new, repaired=True)


def counted(outcomes: Sequence[ItemOutcome]) -> dict[str, int]:
    """How many of each outcome, every outcome named."""
    found = [one.outcome for one in outcomes]
    return {outcome.value: found.count(outcome) for outcome in Outcome}
