"""Fixtures that name their precondition."""

from __future__ import annotations

from pathlib import Path

import pytest

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
