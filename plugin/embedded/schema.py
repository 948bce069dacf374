"""Tables: a few for the whole file, and four for each generation."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from string import Template
from typing import Final

#: "SdTw" in ASCII: tells our files from others (PRAGMA application_id).
APPLICATION_ID: Final = 0x53645477
SCHEMA_VERSION: Final = 2

SCHEMA: Final = (
    # AUTOINCREMENT: a dropped generation's number, and with it its table names, are never used again.
    """
    CREATE TABLE generation (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        record TEXT NOT NULL,
        changes INTEGER NOT NULL DEFAULT 0,
        purged INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE TABLE release (kind TEXT PRIMARY KEY, document TEXT NOT NULL, writes INTEGER NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE parked (
        tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, generation TEXT NOT NULL,
        revision INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, parked_at REAL NOT NULL,
        PRIMARY KEY (tenant, kind, id, generation)
    ) WITHOUT ROWID
    """,
)

#: Of one generation. Items are seldom deleted (removed ones stay as tombstones until they are purged), so their
#: numbers are dense; those of purged ones are used again.
_TABLES: Final = (
    """
    CREATE TABLE $item (
        number INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        everyone INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        phase INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        written_at REAL NOT NULL,
        space TEXT NOT NULL,
        inputs_hash TEXT NOT NULL,
        UNIQUE (tenant, id)
    )
    """,
    "CREATE INDEX ${item}_changed ON $item (changed)",
    "CREATE INDEX ${item}_pending ON $item (tenant, id) WHERE state = 'pending'",
    "CREATE INDEX ${item}_removed ON $item (written_at) WHERE state = 'removed'",
    # What is only read once an item is chosen stands apart, so that choosing reads few pages.
    "CREATE TABLE $body (number INTEGER PRIMARY KEY, content BLOB NOT NULL, vector BLOB)",
    # A value has no declared type: text and numbers stay what they are. Field 0 holds the audience.
    """
    CREATE TABLE $filter (
        item INTEGER NOT NULL, field INTEGER NOT NULL, value NOT NULL,
        PRIMARY KEY (item, field, value)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX ${filter}_value ON $filter (field, value, item)",
    "CREATE VIRTUAL TABLE $text USING fts5($columns, tokenize = 'porter unicode61 remove_diacritics 2')",
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one generation."""

    #: Number of the generation in this file.
    number: int

    def sql(self, template: str, **parts: str) -> str:
        """The statement for this generation.

        Args:
            template: ``$item``, ``$body``, ``$filter`` and ``$text`` stand for the tables.
            parts: texts for further placeholders; tables may stand in them too.
        """
        return _filled(self.number, template, tuple(parts.items()))

    def creation(self, text_fields: int) -> list[str]:
        """The statements that make the tables."""
        columns = ", ".join(text_columns(text_fields))
        return [self.sql(statement, columns=columns) for statement in _TABLES]

    def removal(self) -> list[str]:
        """The statements that delete the tables and all they hold."""
        return [self.sql("DROP TABLE $table", table=table) for table in ("$item", "$body", "$filter", "$text")]


def text_columns(text_fields: int) -> list[str]:
    """Columns of the full-text table; it has one even when the kind has no text field."""
    return [f"t{column}" for column in range(max(text_fields, 1))]


@functools.lru_cache(maxsize=1_024)
def _filled(number: int, template: str, parts: tuple[tuple[str, str], ...]) -> str:
    tables = {table: f"{table}_{number}" for table in ("item", "body", "filter", "text")}
    return Template(Template(template).safe_substitute(dict(parts))).substitute(tables)
