"""Exact k-NN: the vectors of every generation in memory, kept level with the file."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotFound
from domain.search import QueryVector
from domain.vectors import DIMENSIONS, Array
from plugin.embedded.generations import Place, place_of
from plugin.embedded.schema import Tables

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_CHANGED: Final = """
SELECT i.number, i.tenant, i.space, i.everyone, CASE i.state WHEN 'ready' THEN b.vector END
FROM $item AS i LEFT JOIN $body AS b ON b.number = i.number WHERE i.changed > ?
"""
#: Below this share of the rows it is cheaper to pick the tenant's vectors than to multiply all.
_PICK_SHARE: Final = 1 / 4
_SMALLEST: Final = 1_024
#: Label of a tenant or space that has no vector here.
_UNKNOWN: Final = -1
#: Label where there is no vector.
_NONE: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The ready items of one tenant and space, compared with a query vector."""

    query: QueryVector
    #: ``[n]`` item numbers, rising.
    numbers: Numbers
    #: ``[n]`` whether everyone of the tenant may see the item.
    everyone: Flags
    #: ``[n]`` inner products, to float32 precision: equal vectors may differ in the last digit.
    products: Array


class VectorCache:
    """The vectors of every generation that was searched, for all threads of one process."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._generations: dict[str, _Cached] = {}

    def compare(
        self, connection: sqlite3.Connection, generation: str, tenant: str, query: QueryVector
    ) -> tuple[Place, Compared]:
        """The generation, and its vectors of the tenant and of the query's space, as the connection sees them.

        Must be the first thing that is read in the connection's transaction.

        Raises:
            NotFound: no such generation.
        """
        cached = self._cached(generation)
        # The lock comes before the view of the file: whoever holds it sees the newest, so rows only move forward.
        with cached.lock:
            try:
                place = place_of(connection, generation)
            except NotFound:
                self._generations.pop(generation, None)
                raise
            if cached.tables != place.tables:
                # New here, or the name was dropped and given again.
                cached.tables, cached.matrix = place.tables, _Matrix()
                self._forget_dropped(connection)
            cached.matrix.follow(connection, place)
            return place, cached.matrix.compare(tenant, query)

    def held(self) -> list[str]:
        """Names of the generations whose vectors are in memory, sorted."""
        return sorted(self._generations)

    def _forget_dropped(self, connection: sqlite3.Connection) -> None:
        known = {name for (name,) in connection.execute("SELECT name FROM generation")}
        for name in set(self._generations) - known:
            self._generations.pop(name, None)

    def _cached(self, generation: str) -> _Cached:
        if self._pid != os.getpid():
            # After a fork another thread of the parent may have held a lock, in the middle of a change.
            self._pid, self._generations = os.getpid(), {}
        return self._generations.setdefault(generation, _Cached())


class _Cached:
    """The matrix of a generation's name, used by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tables = Tables(0)
        self.matrix = _Matrix()


class _Matrix:
    """Vectors of one generation; row = item number - 1, as numbers are dense."""

    def __init__(self) -> None:
        self._start_over()

    def _start_over(self) -> None:
        self._changes = 0
        #: Numbers for tenants and spaces, from 1.
        self._labels: dict[tuple[str, str], int] = {}
        self._vectors: Array = np.zeros((0, DIMENSIONS), dtype=np.float32)
        self._tenants: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        #: `_NONE` where the item is not ready.
        self._spaces: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._everyone: Flags = np.zeros(0, dtype=np.bool_)

    def follow(self, connection: sqlite3.Connection, place: Place) -> None:
        """Take over what changed in the file."""
        if self._changes < place.purged:
            # A tombstone was purged before it was seen here: its item still stands in these rows, alive.
            self._start_over()
        if place.changes > self._changes:
            rows = connection.execute(place.tables.sql(_CHANGED), (self._changes,)).fetchall()
            if rows:
                self._take(rows)
            self._changes = place.changes

    def compare(self, tenant: str, query: QueryVector) -> Compared:
        """The rows of the tenant and space, compared."""
        wanted = [self._labels.get(label, _UNKNOWN) for label in (("tenant", tenant), ("space", query.space))]
        rows = np.flatnonzero((self._tenants == wanted[0]) & (self._spaces == wanted[1]))
        if rows.size < _PICK_SHARE * len(self._vectors):
            products = self._vectors[rows] @ query.values
        else:
            products = (self._vectors @ query.values)[rows]
        return Compared(query, rows + 1, self._everyone[rows], products)

    def _take(self, rows: list[tuple[Any, ...]]) -> None:
        self._grow(max(row[0] for row in rows))
        places = np.array([row[0] for row in rows]) - 1
        self._tenants[places] = [self._label("tenant", row[1]) for row in rows]
        self._spaces[places] = [_NONE if row[4] is None else self._label("space", row[2]) for row in rows]
        self._everyone[places] = [row[3] for row in rows]
        ready = [row for row in rows if row[4] is not None]
        vectors = np.frombuffer(b"".join(row[4] for row in ready), dtype="<f4")
        self._vectors[[row[0] - 1 for row in ready]] = vectors.reshape(-1, DIMENSIONS)

    def _label(self, kind: str, name: str) -> int:
        return self._labels.setdefault((kind, name), len(self._labels) + 1)

    def _grow(self, size: int) -> None:
        have = len(self._vectors)
        if size <= have:
            return
        more = max(size, _SMALLEST, have + have // 2) - have
        self._vectors = np.concatenate([self._vectors, np.zeros((more, DIMENSIONS), dtype=np.float32)])
        self._tenants = np.concatenate([self._tenants, np.zeros(more, dtype=np.int32)])
        self._spaces = np.concatenate([self._spaces, np.zeros(more, dtype=np.int32)])
        self._everyone = np.concatenate([self._everyone, np.zeros(more, dtype=np.bool_)])
