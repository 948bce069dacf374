"""Stored items out of the tables."""

from __future__ import annotations

import sqlite3
from typing import Final

from domain.versions import StoredItem
from plugin.embedded.documents import COLUMNS, stored_item
from plugin.embedded.generations import Place

#: Condition of `items_where` for one tenant and id.
OF_KEY: Final = "i.tenant = ? AND i.id = ?"

_ITEMS: Final = """
SELECT i.number, $columns FROM $item AS i LEFT JOIN $body AS b ON b.number = i.number WHERE $condition
"""


def items_where(connection: sqlite3.Connection, place: Place, condition: str, *values: object) -> dict[int, StoredItem]:
    """The stored items that fulfil an SQL condition on item row `i`, by number, in the condition's order."""
    sql = place.tables.sql(_ITEMS, columns=COLUMNS, condition=condition)
    kind = place.generation.kind
    return {row[0]: stored_item(kind, row[1:]) for row in connection.execute(sql, values)}
