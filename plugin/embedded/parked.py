"""Parked items in the embedded engine."""

from __future__ import annotations

from collections.abc import Sequence

from domain.items import ItemKey
from domain.work import ParkedItem, WorkKey
from plugin.embedded.database import Database


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

    def all(self, limit: int = 1_000) -> list[ParkedItem]:
        """The parked items, by work key."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT tenant, kind, id, generation, revision, attempts, error, parked_at FROM parked"
                " ORDER BY tenant, kind, id, generation LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            ParkedItem(WorkKey(ItemKey(tenant, kind, item_id), generation), revision, attempts, error, parked_at)
            for tenant, kind, item_id, generation, revision, attempts, error, parked_at in rows
        ]

    def free(self, works: Sequence[WorkKey]) -> None:
        """Forget these; unknown ones change nothing."""
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM parked WHERE tenant = ? AND kind = ? AND id = ? AND generation = ?",
                [_key(work) for work in works],
            )


def _key(work: WorkKey) -> tuple[str, str, str, str]:
    return (work.key.tenant, work.key.kind, work.key.id, work.generation)


def _whole(error: str) -> str:
    """The message without half characters, which SQLite refuses."""
    return error.encode("utf-8", "replace").decode("utf-8")
