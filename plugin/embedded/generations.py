"""Generations in the embedded engine: four tables each."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
from dataclasses import dataclass
from typing import Final

from domain.errors import ConfigurationError, NotFound
from domain.releases import Generation, GenerationCounts
from domain.versions import VectorState
from plugin.embedded.database import Database
from plugin.embedded.schema import Tables

_COUNTS = """
SELECT tenant,
       sum(state <> :removed), sum(state = :pending), sum(state = :removed),
       coalesce(min(CASE WHEN state = :pending THEN written_at END), 0),
       sum(state = :ready AND written_at >= :since)
FROM $item GROUP BY tenant ORDER BY tenant
"""
# The state is written out, so that SQLite uses the index of the removed ones.
_OLD_TOMBSTONES: Final = """
SELECT number, changed FROM $item WHERE state = 'removed' AND written_at < ? ORDER BY written_at LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a generation is in the file."""

    generation: Generation
    tables: Tables
    #: How often it was written.
    changes: int
    #: The newest change that a purged tombstone was stamped with: who has not seen it yet will not find it any more.
    purged: int


class EmbeddedGenerations:
    """Creates, lists, counts, drops and purges generations (`domain.ports.Generations`).

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, generation: Generation) -> None:
        """Make an empty generation; making the same one again changes nothing.

        Raises:
            ConfigurationError: the name is taken by a generation with other fields or another space.
        """
        with self._database.writing() as connection:
            taken = find(connection, generation.name)
            if taken is not None:
                _check_same(taken.generation, generation)
                return
            number = connection.execute(
                "INSERT INTO generation (name, record) VALUES (?, ?)",
                (generation.name, json.dumps(dataclasses.asdict(generation))),
            ).lastrowid
            for statement in Tables(int(number or 0)).creation(len(generation.text_weights)):
                connection.execute(statement)

    def drop(self, name: str) -> None:
        """Delete a generation and all it holds; dropping none changes nothing."""
        with self._database.writing() as connection:
            place = find(connection, name)
            if place is None:
                return
            connection.execute("DELETE FROM generation WHERE number = ?", (place.tables.number,))
            for statement in place.tables.removal():
                connection.execute(statement)

    def all(self) -> list[Generation]:
        """Every generation, by name."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT record FROM generation ORDER BY name").fetchall()
        return [Generation(**json.loads(record)) for (record,) in rows]

    def counts(self, name: str, since: float = math.inf) -> list[GenerationCounts]:
        """What each tenant has, by tenant name.

        Raises:
            NotFound: no such generation.
        """
        states = {state.name.lower(): state.value for state in VectorState}
        with self._database.reading() as connection:
            rows = connection.execute(
                place_of(connection, name).tables.sql(_COUNTS), {**states, "since": since}
            ).fetchall()
        return [GenerationCounts(*row) for row in rows]

    def purge(self, name: str, removed_before: float, limit: int) -> int:
        """How many tombstones written before that time were forgotten for good, oldest first, at most `limit`.

        Raises:
            NotFound: no such generation.
        """
        with self._database.reading() as connection:
            if not _old_tombstones(connection, place_of(connection, name), removed_before, 1):
                return 0  # the usual case takes no turn from the writers
        with self._database.writing() as connection:
            place = place_of(connection, name)
            found = _old_tombstones(connection, place, removed_before, limit)
            # A tombstone has a row here and nowhere else.
            delete = place.tables.sql("DELETE FROM $item WHERE number = ?")
            connection.executemany(delete, [(number,) for number, _ in found])
            purged = max((change for _, change in found), default=0)
            connection.execute(
                "UPDATE generation SET purged = max(purged, ?) WHERE number = ?", (purged, place.tables.number)
            )
        return len(found)


def find(connection: sqlite3.Connection, name: str) -> Place | None:
    """Where the generation is, None when there is none of the name."""
    row = connection.execute(
        "SELECT record, number, changes, purged FROM generation WHERE name = ?", (name,)
    ).fetchone()
    return Place(Generation(**json.loads(row[0])), Tables(row[1]), *row[2:]) if row else None


def place_of(connection: sqlite3.Connection, name: str) -> Place:
    """Where the generation is.

    Raises:
        NotFound: there is none of the name.
    """
    place = find(connection, name)
    if place is None:
        names = [known for (known,) in connection.execute("SELECT name FROM generation ORDER BY name")]
        raise NotFound(
            f"generation {name}",
            expected=f"one of {names}" if names else "a generation that was created",
            got="none of that name",
            fix="Name one that exists; `sidetower status` lists them.",
        )
    return place


def _old_tombstones(
    connection: sqlite3.Connection, place: Place, removed_before: float, limit: int
) -> list[tuple[int, int]]:
    """Number and change of the oldest tombstones."""
    return connection.execute(place.tables.sql(_OLD_TOMBSTONES), (removed_before, limit)).fetchall()


def _check_same(taken: Generation, wanted: Generation) -> None:
    if not taken.same_make(wanted):
        raise ConfigurationError(
            f"generation {taken.name}",
            expected="a name that is free, or the same fields and space",
            got=f"{taken} under that name",
            fix="Make a generation under a new name and promote it.",
        )
