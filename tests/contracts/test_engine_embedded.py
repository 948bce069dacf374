"""The embedded engine passes every contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from domain.ports import Generations, ParkedItems, ReleaseStore, SearchEngine
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from plugin.embedded.parked import EmbeddedParkedItems
from plugin.embedded.releases import EmbeddedReleases
from tests.contracts.engine_suite import EngineContract
from tests.contracts.generations_suite import GenerationsContract
from tests.contracts.parked_suite import ParkedContract
from tests.contracts.release_suite import ReleaseContract
from tests.support.spaces import respace_embedded


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A new file."""
    database = Database(tmp_path_factory.mktemp("embedded") / "engine.sqlite")
    yield database
    database.close()


@pytest.fixture(scope="module")
def engine(database: Database) -> SearchEngine:
    return EmbeddedEngine(database)


@pytest.fixture(scope="module")
def generations(database: Database) -> Generations:
    return EmbeddedGenerations(database)


@pytest.fixture(scope="module")
def respace(database: Database) -> Callable[[str, str], None]:
    return partial(respace_embedded, database)


@pytest.fixture(scope="module")
def releases(database: Database) -> ReleaseStore:
    return EmbeddedReleases(database)


@pytest.fixture(scope="module")
def parked(database: Database) -> ParkedItems:
    return EmbeddedParkedItems(database)


class TestEmbeddedEngine(EngineContract):
    """`EmbeddedEngine`."""


class TestEmbeddedGenerations(GenerationsContract):
    """`EmbeddedGenerations`."""


class TestEmbeddedReleases(ReleaseContract):
    """`EmbeddedReleases`."""


class TestEmbeddedParkedItems(ParkedContract):
    """`EmbeddedParkedItems`."""
