"""Fixtures that name their precondition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.rerank.served_process import Served, served_world
from tests.service.rerank.world import World, fill
from tests.support.service_client import ServiceClient


@pytest.fixture
def empty_world(tmp_path: Path) -> World:
    """Generations and a bundle, no items."""
    return World(tmp_path)


@pytest.fixture
def world(empty_world: World) -> World:
    """Two tenants with equal ids, every item with its vector."""
    fill(empty_world)
    return empty_world


@pytest.fixture
def north(world: World) -> ServiceClient:
    """The service, asked as the tenant north."""
    return ServiceClient(world.app(), "north")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service process over a filled world."""
    with served_world(tmp_path_factory.mktemp("served")) as process:
        yield process
