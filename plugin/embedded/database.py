"""One SQLite file for several processes and threads at once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.errors import Busy, ConfigurationError, SidetowerError, Unavailable
from plugin.embedded.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION

#: Seconds that a transaction waits for another writer, unless told.
WAIT: Final = 10.0
#: Seconds between two tries to become the writer; SQLite's own pauses grow to 0.1 s, and a bulk load then starves
#: everybody else.
_PAUSE: Final = 0.002
_MMAP_BYTES: Final = 1 << 30
_CACHE_KIB: Final = 8_192

#: Connections of a parent process: closing them in a child could disturb the parent, so they are only kept.
_INHERITED: Final[list[sqlite3.Connection]] = []


class Database:
    """Transactions on one file, from any thread and any process; safe after kill -9.

    A process may fork with connections open, but not while another of its threads is inside a transaction: SQLite's
    own locks would stay locked in the child. The file and its folder are made at the first use.

    Args:
        path: the SQLite file.
        wait: seconds that a transaction waits for another writer.
    """

    def __init__(self, path: Path, wait: float = WAIT) -> None:
        self.path = path
        self._wait = wait
        self._local = threading.local()
        self._opened: weakref.WeakSet[_Opened] = weakref.WeakSet()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One unchanging view of the file, from the first statement on.

        Raises:
            Unavailable: the file cannot be read.
        """
        with told(self.path):
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on disk when the block ends, and undone when it raises.

        Raises:
            Busy: another process kept on writing, or the disk is full.
            Unavailable: the file cannot be written.
        """
        with told(self.path):
            connection = self._connection()
            _begin_writing(connection, self._wait)
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def close(self) -> None:
        """Close the connections of this process; the next use opens them again."""
        for opened in list(self._opened):
            opened.close()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        opened: _Opened | None = getattr(self._local, "opened", None)
        if opened is None or opened.pid != os.getpid():
            opened = self._local.opened = _Opened(_open(self.path, self._wait))
            self._opened.add(opened)
        return opened.connection


class _Opened:
    """A connection that is closed with the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.pid = os.getpid()

    def close(self) -> None:
        if self.pid == os.getpid():
            self.connection.close()
        else:
            _INHERITED.append(self.connection)

    __del__ = close


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise counterpart(error, path) from error


def counterpart(error: sqlite3.Error, path: Path) -> SidetowerError:
    """Our error for one of SQLite's (https://www.sqlite.org/rescode.html)."""
    got = f"{type(error).__name__}: {error}"
    place = f"embedded engine {path}"
    if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        fix = "Try again; if it lasts, use OpenSearch or fewer writers."
        return Busy(place, expected="a turn to write in time", got=got, fix=fix)
    if _code(error) == sqlite3.SQLITE_FULL:
        return Busy(place, expected="room on the disk", got=got, fix="Free disk space, then try again.")
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        fix = (
            "Stop every Sidetower process, move engine.db, engine.db-wal and engine.db-shm away together, then "
            "`sidetower index` builds a new one from the source."
        )
        return Unavailable(place, expected="a sound SQLite file", got=got, fix=fix)
    fix = "Check that the folder exists, is on a local disk and may be written."
    return Unavailable(place, expected="a readable and writable SQLite file", got=got, fix=fix)


def _begin_writing(connection: sqlite3.Connection, wait: float) -> None:
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        _insist(connection, "BEGIN IMMEDIATE", wait)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")


def _insist(connection: sqlite3.Connection, statement: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 for what Python's module raises by itself."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _open(path: Path, wait: float) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "Give the engine another path in sidetower.toml."
        raise Unavailable(f"embedded engine {path}", expected="a folder", got=str(error), fix=fix) from error
    # Each connection is used by its own thread; another one may only close it.
    connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, wait)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, wait: float) -> None:
    for pragma in (f"mmap_size = {_MMAP_BYTES}", f"cache_size = -{_CACHE_KIB}", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    ours = _is_ours(connection, path)
    connection.rollback()
    if not ours:
        # Several processes may make the file at once, and this does not wait by itself.
        _insist(connection, "PRAGMA journal_mode = WAL", wait)
        _begin_writing(connection, wait)
        try:
            _make_tables(connection, path)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    if _is_ours(connection, path):
        # Another process was first.
        return
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; an empty file is ours to fill, anything else is not touched."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (owner, version, tables) == (0, 0, 0):
        return False
    if (owner, version) == (APPLICATION_ID, SCHEMA_VERSION):
        return True
    raise ConfigurationError(
        f"embedded engine {path}",
        expected=f"an empty file or a Sidetower database of schema version {SCHEMA_VERSION}",
        got=f"schema version {version}" if owner == APPLICATION_ID else "somebody else's database",
        fix="Set another path in sidetower.toml, or run the Sidetower version that wrote the file.",
    )
