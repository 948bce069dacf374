"""Fixtures that name their precondition: a stand-in for the host's cluster, and a service before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.gateway.asking import Asking, cars, gateway_before
from tests.service.gateway.stand_in import StandIn, standing_in
from tests.service.rerank.world import World, fill


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two tenants with equal ids, every item with its vector."""
    return filled(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, Asking]]:
    """A stand-in and a gateway before it, for tests that change nothing but its answers."""
    world = filled(tmp_path_factory.mktemp("gateway"))
    with standing_in(cars) as cluster, gateway_before(cluster.address, world) as asking:
        yield cluster, asking


@pytest.fixture
def cluster(shared: tuple[StandIn, Asking]) -> StandIn:
    """The host's cluster, with a few documents; nothing has been sent to it."""
    cluster, _ = shared
    cluster.answer, cluster.sent = cars, []
    return cluster


@pytest.fixture
def gateway(shared: tuple[StandIn, Asking], cluster: StandIn) -> Asking:
    """The gateway of a service before that cluster."""
    return shared[1]


def filled(folder: Path) -> World:
    """The small world."""
    made = World(folder)
    fill(made)
    return made
