"""The embedded search engine."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidItem, NotFound
from domain.items import ItemKey
from domain.search import LEG_DEPTH, Candidate, Query, Scope
from domain.versions import Changes, Creation, ItemOutcome, Outcome, StoredItem, VectorState
from plugin.embedded.changes import read_changes
from plugin.embedded.database import Database
from plugin.embedded.documents import Rows, candidate, to_rows
from plugin.embedded.generations import Place, place_of
from plugin.embedded.legs import Found, Legs, best_of
from plugin.embedded.query import every, named, visible
from plugin.embedded.reader import OF_KEY, items_where
from plugin.embedded.vectors import VectorCache
from plugin.embedded.writer import ItemWriter

#: Items of one transaction; other writers get a turn after it.
_BATCH: Final = 500
#: Seconds that a long write leaves to them.
_TURN: Final = 0.003

_NUMBERED: Final = "i.number IN (SELECT value FROM json_each(?))"


class EmbeddedEngine:
    """Retrieves candidates and keeps the newest revision of every item (`domain.ports.SearchEngine`).

    What is written is searchable at once, for every process; vectors are compared exactly.

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._vectors = VectorCache()

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        """One outcome for each item, in order, by the rule of `domain.versions.judge`. Safe to repeat.

        Raises:
            NotFound: no such generation.
            Busy: others kept on writing, or the disk is full; of a long write, the first batches may be done.
        """
        with self._database.reading() as connection:
            place = place_of(connection, generation)
        outcomes: list[ItemOutcome] = []
        for start in range(0, len(items), _BATCH):
            if start:
                time.sleep(_TURN)
            outcomes += self._write_batch(place, items[start : start + _BATCH], creation)
        return outcomes

    def read(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        """What is stored now, tombstones included. For writers only."""
        found: dict[ItemKey, StoredItem] = {}
        with self._database.reading() as connection:
            place = place_of(connection, generation)
            for key in keys:
                for stored in items_where(connection, place, OF_KEY, key.tenant, key.id).values():
                    found[stored.key] = stored
        return {key: found[key] for key in keys if key in found}

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> dict[str, Candidate]:
        """The items of these ids that the scope may see, score 0."""
        condition = every([visible(scope), named(ids)])
        with self._database.reading() as connection:
            place = place_of(connection, generation)
            found = items_where(connection, place, condition.sql, *condition.values).values()
        return {stored.key.id: candidate(stored) for stored in found}

    def search(self, generation: str, scope: Scope, query: Query) -> list[Candidate]:
        """Candidates inside the scope, best first, ties by id; never a tombstone.

        Raises:
            NotFound: no such generation.
            InvalidQuery: a filter names an unknown field or cannot hold for the field's type.
        """
        hybrid = bool(query.text) and query.vector is not None
        depth = max(query.limit, LEG_DEPTH) if hybrid else query.limit
        legs: dict[str, list[Found]] = {}
        with self._database.reading() as connection:
            compared = None
            if query.vector is not None:
                place, compared = self._vectors.compare(connection, generation, scope.tenant, query.vector)
            else:
                place = place_of(connection, generation)
            retrieval = Legs(connection, place, scope, query)
            if compared is not None:
                legs["vector"] = retrieval.by_vector(compared, depth)
            if query.text:
                legs["text"] = retrieval.by_text(depth)
            # Text first: ties of the fusion go to the earlier leg.
            found_by = [legs[name] for name in ("text", "vector") if name in legs]
            best = best_of(found_by, query.limit) if found_by else retrieval.by_id()
            stored = items_where(connection, place, _NUMBERED, json.dumps([found.number for found in best]))
        ranks = {name: {found.number: rank for rank, found in enumerate(leg, 1)} for name, leg in legs.items()}
        by_words, by_nearness = ranks.get("text", {}), ranks.get("vector", {})
        return [
            candidate(stored[found.number], found.score, by_words.get(found.number), by_nearness.get(found.number))
            for found in best
        ]

    def scan(
        self,
        generation: str,
        after: ItemKey | None = None,
        limit: int = 500,
        state: VectorState | None = None,
        outside: str = "",
    ) -> list[StoredItem]:
        """The next items in key order after `after`, tombstones included; empty at the end."""
        # The state is written out, so that SQLite uses the index of the pending ones.
        kept = f"AND i.state = '{state.value}'" if state else ""
        apart = "AND i.space <> '' AND i.space <> ?" if outside else ""
        # Hardly any item is outside: reading the table from end to end finds them sooner than its index by key (which
        # a plus sign rules out).
        key = "+i.tenant, +i.id" if outside else "i.tenant, i.id"
        condition = f"({key}) > (?, ?) {kept} {apart} ORDER BY {key} LIMIT ?"
        last = (after.tenant, after.id) if after else ("", "")
        values = [*last, *([outside] if outside else []), limit]
        with self._database.reading() as connection:
            place = place_of(connection, generation)
            found = items_where(connection, place, condition, *values)
        return list(found.values())

    def changes(self, generation: str, after: str = "") -> Changes:
        """What was written after the call that gave this mark.

        Raises:
            NotFound: no such generation.
        """
        with self._database.reading() as connection:
            return read_changes(connection, place_of(connection, generation), after)

    def refresh(self, generation: str) -> None:
        """Nothing to wait for: a write is searchable when it returns.

        Raises:
            NotFound: no such generation.
        """
        with self._database.reading() as connection:
            place_of(connection, generation)

    def _write_batch(self, place: Place, items: Sequence[StoredItem], creation: Creation) -> list[ItemOutcome]:
        # Everything slow that needs no lock happens before the transaction.
        prepared = [_prepared(stored, place) for stored in items]
        with self._database.writing() as connection:
            writer = ItemWriter(connection, place, _next_change(connection, place))
            return [
                one if isinstance(one, ItemOutcome) else ItemOutcome(one.stored.key, writer.write(one, creation))
                for one in prepared
            ]


def _prepared(stored: StoredItem, place: Place) -> Rows | ItemOutcome:
    try:
        return to_rows(stored, place.generation)
    except InvalidItem as refused:
        return ItemOutcome(stored.key, Outcome.FAILED, str(refused))


def _next_change(connection: sqlite3.Connection, place: Place) -> int:
    changed = connection.execute(
        "UPDATE generation SET changes = changes + 1 WHERE number = ? RETURNING changes", (place.tables.number,)
    ).fetchone()
    if changed is None:
        name = place.generation.name
        fix = "Write to the generations of the current release."
        raise NotFound(f"generation {name}", expected="a generation that is there", got="dropped meanwhile", fix=fix)
    return int(changed[0])
