"""One file, several threads and processes; and SQLite's errors as ours."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from domain.errors import Busy, ConfigurationError, Unavailable
from plugin.embedded.database import Database, counterpart
from plugin.embedded.schema import APPLICATION_ID, SCHEMA_VERSION

#: Every exception that the sqlite3 module can raise by itself.
FOREIGN = sorted(
    (cls for cls in vars(sqlite3).values() if isinstance(cls, type) and issubclass(cls, sqlite3.Error)),
    key=lambda cls: cls.__name__,
)
#: Every primary result code that is an error (https://www.sqlite.org/rescode.html).
CODES = range(1, 27)
ASK_FOR_LESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}


def rows(database: Database) -> list[tuple[str, int]]:
    with database.reading() as connection:
        return connection.execute("SELECT kind, writes FROM release ORDER BY kind").fetchall()


def add(database: Database, kind: str) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO release VALUES (?, '{}', 1)", (kind,))


def add_all(database: Database, kinds: list[str | None]) -> None:
    """Add them in one transaction; None is a mistake of the caller."""
    with database.writing() as connection:
        for kind in kinds:
            connection.execute("INSERT INTO release VALUES (? || '', '{}', ?)", (kind, len(kind)))  # type: ignore[arg-type]


def test_the_foreign_errors_are_the_known_ones() -> None:
    assert {cls.__name__ for cls in FOREIGN} == {
        "DataError",
        "DatabaseError",
        "Error",
        "IntegrityError",
        "InterfaceError",
        "InternalError",
        "NotSupportedError",
        "OperationalError",
        "ProgrammingError",
    }


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("code", [None, *CODES, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_IOERR_WRITE])
def test_every_foreign_error_has_a_counterpart(foreign: type[sqlite3.Error], code: int | None) -> None:
    error = foreign("it broke")
    if code is not None:
        error.sqlite_errorcode = code
    ours = counterpart(error, Path("engine.sqlite"))
    wanted = Busy if code is not None and code & 0xFF in ASK_FOR_LESS else Unavailable
    assert type(ours) is wanted
    assert "it broke" in str(ours)
    assert "engine.sqlite" in str(ours)


def test_what_is_written_is_there_for_everybody(database: Database) -> None:
    add(database, "listing")
    other = Database(database.path)
    assert rows(other) == rows(database) == [("listing", 1)]
    other.close()


def test_a_failed_transaction_is_undone(database: Database) -> None:
    with pytest.raises(TypeError):
        add_all(database, ["listing", None])
    assert rows(database) == []
    add(database, "article")
    assert rows(database) == [("article", 1)]


def test_an_sql_error_leaves_as_ours_and_is_undone(database: Database) -> None:
    add(database, "listing")
    with pytest.raises(Unavailable, match="UNIQUE"):
        add_all(database, ["article", "listing"])
    assert rows(database) == [("listing", 1)]


def test_a_reader_keeps_its_view(database: Database) -> None:
    add(database, "listing")
    other = Database(database.path)
    with database.reading() as connection:
        before = connection.execute("SELECT count(*) FROM release").fetchone()
        add(other, "article")
        assert connection.execute("SELECT count(*) FROM release").fetchone() == before == (1,)
    assert len(rows(database)) == 2
    other.close()


def test_a_second_writer_waits_its_turn(database: Database) -> None:
    add(database, "listing")
    started, told = threading.Event(), []

    def write() -> None:
        started.set()
        add(database, "article")
        told.append("done")

    with database.writing() as connection:
        connection.execute("UPDATE release SET writes = 2")
        thread = threading.Thread(target=write)
        thread.start()
        started.wait(10)
        thread.join(0.1)
        assert told == []
    thread.join(10)
    assert told == ["done"]
    assert rows(database) == [("article", 1), ("listing", 2)]


def test_a_writer_that_gets_no_turn_is_told_busy(database: Database) -> None:
    add(database, "listing")
    impatient = Database(database.path, wait=0.05)
    with database.writing(), pytest.raises(Busy, match="turn to write"):
        add(impatient, "article")
    add(impatient, "article")
    assert len(rows(database)) == 2
    impatient.close()


def test_a_full_disk_is_told_busy_and_nothing_is_lost(database: Database) -> None:
    add(database, "listing")
    with database.reading() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Busy, match="room on the disk"):
        add_all(database, ["article", "x" * 100_000])
    assert rows(database) == [("listing", 1)]


def test_threads_have_connections_of_their_own(database: Database) -> None:
    seen: list[int] = []

    def read() -> None:
        with database.reading() as connection:
            seen.append(id(connection))

    with database.reading() as mine:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join(10)
        assert len(seen) == 1
        assert id(mine) not in seen
    with database.reading() as again:
        assert again is mine


def test_a_closed_database_opens_again(database: Database) -> None:
    add(database, "listing")
    database.close()
    assert rows(database) == [("listing", 1)]


def test_the_file_is_safe_for_several_processes(database: Database) -> None:
    with database.writing() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        # 2 = FULL: a commit is on disk.
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_a_file_of_another_schema_version_is_refused(database: Database) -> None:
    add(database, "listing")
    database.close()
    with sqlite3.connect(database.path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(ConfigurationError, match=f"schema version {SCHEMA_VERSION + 1}"):
        rows(database)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="somebody else's"):
        add(Database(path), "listing")
    assert path.read_bytes() == before
    assert APPLICATION_ID.to_bytes(4, "big") not in before


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "engine.sqlite"
    path.write_bytes(b"This is a letter, not a database. " * 100)
    with pytest.raises(Unavailable, match="sound SQLite file"):
        rows(Database(path))


def test_a_damaged_file_is_unavailable(database: Database) -> None:
    with database.writing() as connection:
        values = [(f"more{number}", "x" * 200) for number in range(2_000)]
        connection.executemany("INSERT INTO release VALUES (?, ?, 1)", values)
    database.close()
    content = bytearray(database.path.read_bytes())
    for page in range(6 * 4_096, len(content) - 4_096, 4_096):
        content[page : page + 64] = b"\xff" * 64
    database.path.write_bytes(content)
    with pytest.raises(Unavailable, match="sound SQLite file"):
        rows(database)


@pytest.mark.parametrize("way", ["folder is a file", "file is a folder"])
def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path, way: str) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "engine.sqlite" if way == "folder is a file" else tmp_path
    with pytest.raises(Unavailable, match="embedded engine"):
        rows(Database(path))
