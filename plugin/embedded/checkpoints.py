"""Checkpoints in the embedded engine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from plugin.embedded.database import Database

# Made at the first use: files of the same schema version that older programs made have no such table.
_TABLE: Final = "CREATE TABLE IF NOT EXISTS checkpoint (name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID"


class EmbeddedCheckpoints:
    """How far long work has come (`domain.ports.Checkpoints`).

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Mapping[str, Any] | None:
        """What was put last under this name."""
        with self._database.reading() as connection:
            if not _is_made(connection):
                return None
            row = connection.execute("SELECT document FROM checkpoint WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        document: Mapping[str, Any] = json.loads(row[0])
        return document

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep this document; it is on disk when this returns."""
        with self._database.writing() as connection:
            connection.execute(_TABLE)
            connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (name, json.dumps(document)))

    def forget(self, name: str) -> None:
        """Keep nothing under this name."""
        with self._database.writing() as connection:
            if _is_made(connection):
                connection.execute("DELETE FROM checkpoint WHERE name = ?", (name,))


def _is_made(connection: sqlite3.Connection) -> bool:
    known = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'checkpoint'")
    return bool(known.fetchone()[0])
