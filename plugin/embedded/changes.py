"""What was written into a generation since a mark."""

from __future__ import annotations

import sqlite3
from typing import Final

from domain.items import ItemKey
from domain.versions import Changes
from plugin.embedded.generations import Place

#: More of them at once are "anything may have changed".
MAX_CHANGES: Final = 10_000

_SINCE: Final = "SELECT tenant, id FROM $item WHERE changed > ? LIMIT ?"


def read_changes(connection: sqlite3.Connection, place: Place, after: str) -> Changes:
    """The items written after this mark, which is the number of the generation and of its last change."""
    mark = f"{place.tables.number}:{place.changes}"
    number, _, last = after.partition(":")
    if number != str(place.tables.number) or int(last) < place.purged:
        # Of a tombstone that was purged before it was seen here nothing is left to be told.
        return Changes(mark, None)
    if int(last) == place.changes:
        return Changes(mark, frozenset())
    rows = connection.execute(place.tables.sql(_SINCE), (int(last), MAX_CHANGES + 1)).fetchall()
    if len(rows) > MAX_CHANGES:
        return Changes(mark, None)
    return Changes(mark, frozenset(ItemKey(tenant, place.generation.kind, id_) for tenant, id_ in rows))
