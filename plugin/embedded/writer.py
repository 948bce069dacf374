"""Writes of one transaction: judge each item against what is stored, then its rows."""

from __future__ import annotations

import sqlite3
from typing import Final

from domain.versions import Creation, Outcome, StoredItem, judge, onto
from plugin.embedded.documents import Rows, phase_number
from plugin.embedded.generations import Place
from plugin.embedded.reader import OF_KEY, items_where
from plugin.embedded.schema import text_columns

_INSERT: Final = """
INSERT INTO $item (tenant, id, state, everyone, revision, phase, changed, written_at, space, inputs_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE: Final = """
UPDATE $item SET state = ?, everyone = ?, revision = ?, phase = ?, changed = ?, written_at = ?, space = ?,
    inputs_hash = ?
WHERE number = ?
"""
_BODY: Final = "INSERT OR REPLACE INTO $body (number, content, vector) VALUES (?, ?, ?)"
_FILTER: Final = "INSERT INTO $filter (item, field, value) VALUES (?, ?, ?)"
_TEXT: Final = "INSERT INTO $text (rowid, $columns) VALUES (?, $texts)"
_FORGET: Final = (
    "DELETE FROM $body WHERE number = ?",
    "DELETE FROM $filter WHERE item = ?",
    "DELETE FROM $text WHERE rowid = ?",
)


class ItemWriter:
    """Writes items of one generation within one transaction.

    Args:
        connection: inside `Database.writing`.
        place: the generation.
        change: number of this transaction in the generation; what it writes is stamped with it.
    """

    def __init__(self, connection: sqlite3.Connection, place: Place, change: int) -> None:
        self._connection = connection
        self._place = place
        self._change = change
        tables = place.tables
        self._sql = {statement: tables.sql(statement) for statement in (_INSERT, _UPDATE, _BODY, _FILTER)}
        self._forget = [tables.sql(statement) for statement in _FORGET]
        columns = text_columns(len(place.generation.text_weights))
        self._text = tables.sql(_TEXT, columns=", ".join(columns), texts=", ".join("?" for _ in columns))

    def write(self, rows: Rows, creation: Creation) -> Outcome:
        """What became of the item, by the rule of `domain.versions.judge`."""
        key = rows.stored.key
        found = items_where(self._connection, self._place, OF_KEY, key.tenant, key.id)
        number, stored = next(iter(found.items()), (0, None))
        verdict = judge(rows.stored, stored, creation)
        if verdict is not None:
            return verdict
        new = onto(rows.stored, stored)
        if stored is None:
            self._add_content(self._insert(new, rows.everyone), rows)
        else:
            self._update(number, new, rows.everyone)
            told, there = new.change, stored.change
            same = (told.revision, told.content_hash) == (there.revision, there.content_hash)
            if same and rows.content is not None:
                # Only the vector is new.
                self._connection.execute(self._sql[_BODY], (number, rows.content, rows.vector))
            else:
                for statement in self._forget:
                    self._connection.execute(statement, (number,))
                self._add_content(number, rows)
        return Outcome.WRITTEN

    def _insert(self, new: StoredItem, everyone: bool) -> int:
        key = new.key
        inserted = self._connection.execute(self._sql[_INSERT], (key.tenant, key.id, *self._decided(new, everyone)))
        return int(inserted.lastrowid or 0)

    def _update(self, number: int, new: StoredItem, everyone: bool) -> None:
        self._connection.execute(self._sql[_UPDATE], (*self._decided(new, everyone), number))

    def _decided(self, new: StoredItem, everyone: bool) -> tuple[object, ...]:
        return (
            new.vector_state.value,
            everyone,
            new.change.revision,
            phase_number(new),
            self._change,
            new.written_at,
            new.space,
            new.inputs_hash,
        )

    def _add_content(self, number: int, rows: Rows) -> None:
        if rows.content is None:
            return
        self._connection.execute(self._sql[_BODY], (number, rows.content, rows.vector))
        self._connection.execute(self._text, (number, *(rows.texts or (None,))))
        filters = [(number, field, value) for field, value in rows.filters]
        self._connection.executemany(self._sql[_FILTER], filters)
