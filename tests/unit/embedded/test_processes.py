"""Service and workers on one file at once, killed at any moment, forked while busy (promise 3)."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.search import Query
from domain.versions import VectorState, pending
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from tests import tiny_world as tiny
from tests.unit.embedded.process import BATCH, GENERATION, SETS, of_step

_ROOT = Path(__file__).parents[3]


@contextmanager
def process(task: str, path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that does the task; killed at the end if it still runs."""
    command = [sys.executable, "-m", "tests.unit.embedded.process", task, str(path), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def finished(started: subprocess.Popen[str], timeout: float = 60) -> str:
    """What the process told; it must have ended well."""
    told, errors = started.communicate(timeout=timeout)
    assert started.returncode == 0, errors
    return told


def check_sound(path: Path) -> None:
    """The file is whole, and its tables agree with each other."""
    connection = sqlite3.connect(path, timeout=10)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (number,) = connection.execute("SELECT number FROM generation WHERE name = ?", (GENERATION,)).fetchone()
    connection.execute(f"INSERT INTO text_{number} (text_{number}) VALUES ('integrity-check')")
    connection.rollback()
    tables = [f"SELECT count(*) FROM {table}_{number}" for table in ("item", "body", "text")]
    counts = [connection.execute(sql).fetchone() for sql in tables]
    assert len(set(counts)) == 1
    connection.close()


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "engine.sqlite"
    chance = random.Random(3)
    database = Database(path)
    EmbeddedGenerations(database).create(tiny.generation(GENERATION))
    engine = EmbeddedEngine(database)
    acknowledged: list[int] = []
    with process("read_on", path) as reader:
        for _ in range(6):
            with process("write_on", path, str(len(acknowledged) + 1)) as writer:
                assert writer.stdout is not None
                acknowledged.append(int(writer.stdout.readline()))
                time.sleep(chance.uniform(0.05, 0.5))
                writer.kill()
                acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
            check_sound(path)
            assert acknowledged == list(range(1, len(acknowledged) + 1))
            newest = {step % SETS: step for step in acknowledged}
            for step in newest.values():
                found = engine.read(GENERATION, [item.key for item in of_step(step)])
                assert len(found) == BATCH
                # One step more may be there, written but not told any more.
                assert {one.change.revision for one in found.values()} <= {step, step + SETS}
                if {one.change.revision for one in found.values()} == {step}:
                    assert {one.vector_state for one in found.values()} == {VectorState.READY}
                    words = Query(f"step{step}", limit=100)
                    assert len(engine.search(GENERATION, tiny.scope(), words)) == BATCH
            near = engine.search(GENERATION, tiny.scope(), tiny.by_vector(limit=200))
            assert len(near) >= BATCH * (len(newest) - 1)
        assert int(finished(reader)) > 0
    assert len(acknowledged) > 6
    database.close()


def test_several_processes_may_make_the_file_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "engine.sqlite"
    with (
        process("write_some", path, "a", "25") as one,
        process("write_some", path, "b", "25") as two,
        process("write_some", path, "c", "25") as three,
    ):
        assert [finished(started) for started in (one, two, three)] == ["25\n"] * 3
    check_sound(path)
    engine = EmbeddedEngine(Database(path))
    assert len(engine.search(GENERATION, tiny.scope(), tiny.by_vector(limit=100))) == 3 * 25


def test_a_bulk_load_leaves_turns_to_others(tmp_path: Path) -> None:
    path = tmp_path / "engine.sqlite"
    database = Database(path, wait=5.0)
    EmbeddedGenerations(database).create(tiny.generation(GENERATION))
    engine = EmbeddedEngine(database)
    with process("write_much", path) as bulk:
        assert bulk.stdout is not None
        bulk.stdout.readline()
        for number in range(10):
            engine.write(GENERATION, [pending(tiny.listing(tiny.key(f"live-{number}")), 1.0)])
        assert bulk.poll() is None
    assert len(engine.lookup(GENERATION, tiny.scope(), [f"live-{number}" for number in range(10)])) == 10


def test_a_fork_with_open_connections_harms_neither(tmp_path: Path) -> None:
    with process("fork", tmp_path / "engine.sqlite") as started:
        assert finished(started) == f"{1 + 10 + 10}\n"
    check_sound(tmp_path / "engine.sqlite")
