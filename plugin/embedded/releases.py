"""Release documents in the embedded engine."""

from __future__ import annotations

import json

from domain.errors import ReleaseConflict
from domain.releases import Held, Release
from plugin.embedded.database import Database


class EmbeddedReleases:
    """One release document for each kind, changed by compare-and-set (`domain.ports.ReleaseStore`).

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, kind: str) -> Held | None:
        """The release of the kind, or None before the first one."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT document, writes FROM release WHERE kind = ?", (kind,)).fetchone()
        return Held(Release.from_document(json.loads(row[0])), str(row[1])) if row else None

    def put(self, release: Release, token: str | None) -> Held:
        """Store the release if nobody changed it since `token` was read; None = there was none.

        Raises:
            ReleaseConflict: somebody else was first.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT writes FROM release WHERE kind = ?", (release.kind,)).fetchone()
            current = str(row[0]) if row else None
            if current != token:
                raise ReleaseConflict(
                    f"release of {release.kind}",
                    expected="no release yet" if token is None else f"the release as read with token {token!r}",
                    got="no release" if current is None else f"token {current!r}",
                    fix="Read the release again and repeat the change.",
                )
            writes = int(row[0]) + 1 if row else 1
            connection.execute(
                "INSERT OR REPLACE INTO release (kind, document, writes) VALUES (?, ?, ?)",
                (release.kind, json.dumps(release.to_document()), writes),
            )
        return Held(release, str(writes))

    def kinds(self) -> list[str]:
        """Every kind that has a release, sorted."""
        with self._database.reading() as connection:
            return [kind for (kind,) in connection.execute("SELECT kind FROM release ORDER BY kind")]
