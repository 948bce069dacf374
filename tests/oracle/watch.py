"""What holds at every moment, and what holds at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from domain.items import Change, Item, ItemKey, Removal
from domain.search import Query, QueryVector, Scope
from domain.versions import Phase, StoredItem, VectorState
from domain.work import WorkKey
from tests.oracle.model import Oracle, shown
from tests.oracle.world import World, poisoned


class Watch:
    """Looks at every generation after each turn.

    Args:
        world: looked at.
        keys: every item there can be.
    """

    def __init__(self, world: World, keys: Sequence[ItemKey]) -> None:
        self._world = world
        self._keys = keys
        #: Items that the queue may have forgotten, so that reconcile has to find them.
        self.excused: set[ItemKey] = set()
        #: The generations being written when it last looked.
        self.writing = world.release().writing
        #: Tombstones may vanish now.
        self.purging = False
        self._seen: dict[tuple[str, ItemKey], StoredItem] = {}

    def excuse(self, keys: Iterable[ItemKey]) -> None:
        """The queue may have forgotten these."""
        self.excused.update(keys)

    def excuse_all(self) -> None:
        """The queue may have forgotten anything."""
        self.excused.update(self._keys)

    def expect(self, keys: Iterable[ItemKey]) -> None:
        """The queue knows these."""
        self.excused.difference_update(keys)

    def look(self) -> list[str]:
        """What is wrong now: a document that went back or vanished, or a vector of another content or space."""
        found = []
        for generation in {*self.writing, self._world.release().default.generation}:
            stored = self._world.stored(generation, self._keys)
            for key in self._keys:
                found += self._wrong_now(generation, key, stored.get(key))
        return found

    def seen(self, *states: VectorState) -> bool:
        """Whether some item stood in one of these states when it last looked."""
        return any(one.vector_state in states for (name, _), one in self._seen.items() if name in self.writing)

    def not_everywhere(self, acknowledged: Sequence[Change]) -> list[str]:
        """Acknowledged changes that some generation being written has not taken."""
        found = []
        for generation in self.writing:
            stored = self._world.stored(generation, [change.key for change in acknowledged])
            for change in acknowledged:
                held = stored.get(change.key)
                if held is None or held.change.revision < change.revision:
                    found.append(f"{change.key}{shown(change)} was acknowledged and is not in {generation}")
        return found

    def purged(self) -> list[ItemKey]:
        """Whose tombstones are no longer there; nothing is held against them any more."""
        stored = self._world.stored(self.writing[0], self._keys)
        gone = [key for key in self._keys if key not in stored and (self.writing[0], key) in self._seen]
        for seen in [seen for seen in self._seen if seen[1] in gone]:
            del self._seen[seen]
        return gone

    def _wrong_now(self, generation: str, key: ItemKey, stored: StoredItem | None) -> list[str]:
        before = self._seen.get((generation, key))
        if stored is None:
            if before is None or (self.purging and isinstance(before.change, Removal)):
                return []
            return [f"{generation} {key} vanished; it was {shown(before.change)}"]
        self._seen[generation, key] = stored
        wrong = [f"{generation} {key} {one}" for one in self._wrong_vector(generation, stored)]
        if before and stored.version < before.version:
            wrong.append(f"{generation} {key} went back from {shown(before.change)} to {shown(stored.change)}")
        if before and stored.version == before.version and stored.change.content_hash != before.change.content_hash:
            wrong.append(
                f"{generation} {key} changed within a revision: {shown(before.change)}, {shown(stored.change)}"
            )
        return wrong

    def _wrong_vector(self, generation: str, stored: StoredItem) -> list[str]:
        item = stored.item
        if item is None or stored.vector_state is VectorState.PENDING:
            fits = stored.vector is None and stored.phase is Phase.CONTENT
            return [] if fits else ["has a vector, or says so, without being ready"]
        embedder = self._world.embedder_of(generation)
        if poisoned(item) or stored.vector is None or stored.space != embedder.space:
            return [f"is ready, but not with a vector of {embedder.space}"]
        if stored.inputs_hash != embedder.inputs_hash(item):
            return ["is ready with the inputs of another content"]
        if float(np.abs(stored.vector - embedder.embed([item])[0]).max()) > 1e-6:
            return ["is ready with the vector of another content"]
        return []

    def forgotten_by_the_queue(self) -> list[str]:
        """Items that wait though nothing is in the queue, nothing was lost, and they are not given up."""
        return [
            f"{generation} {key} waits for its vector, and the queue has forgotten it"
            for generation in self.writing
            for key, stored in self._world.stored(generation, self._keys).items()
            if stored.vector_state is VectorState.PENDING
            and key not in self.excused
            and not poisoned(stored.change)
            and not self._world.eyes.parked.get([WorkKey(key, generation)])
        ]

    def wrong_at_the_end(self, oracle: Oracle) -> list[str]:
        """What is wrong when everything is told and done: every generation holds what the oracle says."""
        found: list[str] = []
        first: dict[ItemKey, str] = {}
        for generation in self.writing:
            stored = {one.key: one for one in self._world.scanned(generation)}
            found += [f"{generation} {key} was never told" for key in stored.keys() - set(self._keys)]
            for key in self._keys:
                held = stored.get(key)
                shape = shown(held.change) if held else "absent"
                if wrong := oracle.wrong(key, held):
                    found.append(f"{generation} {wrong}")
                if first.setdefault(key, shape) != shape:
                    found.append(f"{generation} {key} is {shape}, elsewhere {first[key]}")
                if held and held.vector_state is VectorState.PENDING and not self._given_up(generation, held):
                    found.append(f"{generation} {key} has no vector")
            found += self.wrong_answers(generation)
        return found

    def _given_up(self, generation: str, held: StoredItem) -> bool:
        return poisoned(held.change) and bool(self._world.eyes.parked.get([WorkKey(held.key, generation)]))

    def wrong_answers(self, generation: str) -> list[str]:
        """Searches that find something else than what is stored; by one engine that remembers what it saw before."""
        found = []
        scope = Scope(self._keys[0].tenant)
        stored = self._world.scanned(generation)
        items = [one for one in stored if one.item is not None and one.key.tenant == scope.tenant]
        ready = {(one.key.id, one.version) for one in items if one.vector_state is VectorState.READY}
        titled = {one.key.id for one in items if one.item and "van" in one.item.texts["title"].split()}
        embedder, search = self._world.embedder_of(generation), self._world.eyes.engine.search
        probe = QueryVector(embedder.embed([_PROBE])[0], embedder.space)
        near = {(one.key.id, one.version) for one in search(generation, scope, Query(vector=probe))}
        by_words = {one.key.id for one in search(generation, scope, Query(text="van"))}
        if near != ready:
            found.append(f"{generation}: {sorted(near)} found by vector instead of {sorted(ready)}")
        if by_words != titled:
            found.append(f"{generation}: {sorted(by_words)} found by text instead of {sorted(titled)}")
        return found


_PROBE = Item(ItemKey("t", "listing", "probe"), 0, texts={"title": "red blue old car van"})
