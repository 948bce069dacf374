"""Parked items in the embedded engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.items import ItemKey
from domain.work import ParkedItem, WorkKey
from plugin.embedded.database import Database

_SELECT: Final = "SELECT tenant, kind, id, generation, revision, attempts, error, parked_at FROM parked"
_GET: Final = f"{_SELECT} WHERE tenant = ? AND kind = ? AND id = ? AND generation = ?"
_NEXT: Final = f"""
{_SELECT} WHERE (tenant, kind, id, generation) > (?, ?, ?, ?) ORDER BY tenant, kind, id, generation LIMIT ?
"""


class EmbeddedParkedItems:
    """Tasks that failed too often (`domain.ports.ParkedItems`).

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def park(self, items: Sequence[ParkedItem]) -> None:
        """Keep these, replacing what was parked under the same work key."""
        rows = [(*_key(one.work), one.revision, one.attempts, _whole(one.error), one.parked_at) for one in items]
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def get(self, works: Sequence[WorkKey]) -> list[ParkedItem]:
        """Those of these that are parked, in the order asked."""
        found: list[ParkedItem] = []
        with self._database.reading() as connection:
            for work in works:
                rows = connection.execute(_GET, _key(work)).fetchall()
                found += [_parked(row) for row in rows]
        return found

    def all(self, limit: int = 1_000, after: WorkKey | None = None) -> list[ParkedItem]:
        """The next parked items in the order of their work keys, after this one or from the start."""
        last = _key(after) if after else ("", "", "", "")
        with self._database.reading() as connection:
            rows = connection.execute(_NEXT, (*last, limit)).fetchall()
        return [_parked(row) for row in rows]

    def free(self, works: Sequence[WorkKey]) -> None:
        """Forget these; unknown ones change nothing."""
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM parked WHERE tenant = ? AND kind = ? AND id = ? AND generation = ?",
                [_key(work) for work in works],
            )


def _key(work: WorkKey) -> tuple[str, str, str, str]:
    return (work.key.tenant, work.key.kind, work.key.id, work.generation)


def _parked(row: tuple[Any, ...]) -> ParkedItem:
    tenant, kind, item_id, generation, revision, attempts, error, parked_at = row
    return ParkedItem(WorkKey(ItemKey(tenant, kind, item_id), generation), revision, attempts, error, parked_at)


def _whole(error: str) -> str:
    """The message without half characters, which SQLite refuses."""
    return error.encode("utf-8", "replace").decode("utf-8")
