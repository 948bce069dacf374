"""The vector block: a bounded number of items with their vectors in one array, those used last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.features import TEXT_READ
from domain.items import Item, ItemKey
from domain.search import Candidate, Scope
from domain.vectors import DIMENSIONS, Array
from rerank_service.known import Known, has_vector

#: Generation, space and tenant.
Place = tuple[str, str, str]
#: Share of the items that make room at once, the ones used longest ago.
ROOM_SHARE: Final = 1 / 64


class _State(IntEnum):
    """What is in a slot."""

    FREE = 0
    #: Looked for by some groups, and not there for them.
    ABSENT = 1
    #: There, without a vector in the space.
    PENDING = 2
    READY = 3


class VectorBlock:
    """Keeps items in slots of one array. Not safe for several threads: its owner holds a lock.

    Args:
        capacity: slots.
    """

    def __init__(self, capacity: int) -> None:
        # Not touched, so not taken from the system before it is used.
        self._vectors: Array = np.empty((capacity, DIMENSIONS), np.float32)
        self._states = np.zeros(capacity, np.int8)
        #: Whether everyone of the tenant may see it.
        self._everyone = np.zeros(capacity, np.bool_)
        self._used = np.zeros(capacity, np.int64)
        #: Of an absent one the groups that it was looked for by.
        self._entries: list[Candidate | tuple[str, ...] | None] = []
        self._owners: list[tuple[Place, str] | None] = []
        self._slots: dict[Place, dict[str, int]] = {}
        self._free: list[int] = []
        self._capacity = capacity
        self._tick = 0

    def read(self, place: Place, scope: Scope, ids: Sequence[str]) -> tuple[Known, list[int]]:
        """What is kept of these items, as far as the scope may see it, and the indexes of those that are not kept."""
        slots = self._slots.get(place, {})
        found = [slots.get(id_, -1) for id_ in ids]
        rows = np.array(found, np.int64)
        self._tick += 1
        self._used[rows[rows >= 0]] = self._tick
        if ids and min(found) >= 0 and self._states[rows].min() == _State.READY and self._everyone[rows].all():
            # Nearly always: everything is there, for everyone.
            whole: list[Any] = [self._entries[slot] for slot in found]
            return Known(whole, self._vectors[rows], np.ones(len(ids), np.bool_)), []
        return self._read_each(scope, rows)

    def _read_each(self, scope: Scope, rows: NDArray[np.int64]) -> tuple[Known, list[int]]:
        """As `read`, of slots one by one; -1 is not kept."""
        groups = scope.groups()
        seen = frozenset(groups)
        entries: list[Candidate | None] = [None] * len(rows)
        comparable = np.zeros(len(rows), np.bool_)
        missing: list[int] = []
        for index, slot in enumerate(rows.tolist()):
            entry = None if slot < 0 else self._entries[slot]
            if isinstance(entry, Candidate):
                if self._everyone[slot] or not seen.isdisjoint(entry.item.audience):
                    entries[index], comparable[index] = entry, self._states[slot] == _State.READY
            elif entry != groups:
                # Not kept, or looked for by other groups, which may not see what these do.
                missing.append(index)
        vectors = np.zeros((len(rows), DIMENSIONS), np.float32)
        vectors[comparable] = self._vectors[rows[comparable]]
        return Known(entries, vectors, comparable), missing

    def keep(self, place: Place, scope: Scope, found: Mapping[str, Candidate | None]) -> None:
        """Keep these as the ones used last; None for one that is not there for this scope."""
        self._tick += 1
        groups = scope.groups()
        for id_, candidate in list(found.items())[: self._capacity]:
            slot = self._slot(place, id_)
            self._used[slot] = self._tick
            self._everyone[slot] = candidate is not None and Scope(place[2]).sees(candidate.item)
            if candidate is None:
                self._entries[slot], self._states[slot] = groups, _State.ABSENT
                continue
            ready = has_vector(candidate, place[1])
            self._states[slot] = _State.READY if ready else _State.PENDING
            if ready:
                self._vectors[slot] = candidate.vector
            self._entries[slot] = _lean(candidate)

    def forget(self, generation: str, keys: Iterable[ItemKey] | None) -> None:
        """Keep nothing of these items of the generation; None is all of them."""
        places = [place for place in self._slots if place[0] == generation]
        if keys is None:
            for place in places:
                self._release([self._slots[place][id_] for id_ in list(self._slots[place])])
            return
        spaces = {place[1] for place in places}
        at = [((generation, space, key.tenant), key.id) for key in keys for space in spaces]
        self._release([slot for place, id_ in at if (slot := self._slots.get(place, {}).get(id_)) is not None])

    def _slot(self, place: Place, id_: str) -> int:
        known = self._slots.get(place, {}).get(id_)
        if known is not None:
            return known
        if not self._free and len(self._entries) == self._capacity:
            room = max(1, int(self._capacity * ROOM_SHARE))
            self._release(np.argpartition(self._used, room - 1)[:room].tolist())
        slot = self._free.pop() if self._free else len(self._entries)
        if slot == len(self._entries):
            self._entries.append(None)
            self._owners.append(None)
        self._slots.setdefault(place, {})[id_] = slot
        self._owners[slot] = (place, id_)
        return slot

    def _release(self, slots: Sequence[int]) -> None:
        for slot in slots:
            owner = self._owners[slot]
            if owner is None:
                continue
            place, id_ = owner
            del self._slots[place][id_]
            if not self._slots[place]:
                del self._slots[place]
            self._owners[slot] = self._entries[slot] = None
            self._states[slot] = _State.FREE
            self._free.append(slot)


def _lean(candidate: Candidate) -> Candidate:
    """The candidate as ranking reads it: key, signals, audience, and the beginnings of its texts."""
    item = candidate.item
    texts = {name: text[:TEXT_READ] for name, text in item.texts.items()}
    lean = Item(item.key, item.revision, texts, signals=item.signals, audience=item.audience)
    return replace(
        candidate, item=lean, score=0.0, vector=None, space=candidate.space if candidate.vector is not None else ""
    )
