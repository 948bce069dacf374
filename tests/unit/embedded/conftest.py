"""A new file and what stands on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from tests import tiny_world as tiny

GENERATION = "listing-g1"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file that is not there yet."""
    database = Database(tmp_path / "folder" / "engine.sqlite")
    yield database
    database.close()


@pytest.fixture
def engine(database: Database) -> EmbeddedEngine:
    """An engine with one empty generation."""
    EmbeddedGenerations(database).create(tiny.generation(GENERATION))
    return EmbeddedEngine(database)
