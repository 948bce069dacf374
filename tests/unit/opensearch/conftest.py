"""A client and a prefix of one's own on the real node."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from domain.releases import Generation
from plugin.opensearch.client import connect
from plugin.opensearch.engine import OpenSearchEngine
from plugin.opensearch.generations import OpenSearchGenerations
from tests import tiny_world as tiny


@pytest.fixture
def client(opensearch_url: str) -> Iterator[Any]:
    made = connect(opensearch_url)
    yield made
    made.close()


@pytest.fixture
def prefix(client: Any) -> Iterator[str]:
    """Every index that begins with it is deleted at the end."""
    made = f"test-{uuid.uuid4().hex[:8]}-"
    yield made
    client.indices.delete(index=f"{made}*")


@pytest.fixture
def generations(client: Any, prefix: str) -> OpenSearchGenerations:
    return OpenSearchGenerations(client, prefix)


@pytest.fixture
def generation(generations: OpenSearchGenerations) -> Generation:
    """An empty generation for the tiny world's cars."""
    made = tiny.generation("listing-g1")
    generations.create(made)
    return made


@pytest.fixture
def engine(client: Any, prefix: str) -> OpenSearchEngine:
    return OpenSearchEngine(client, prefix)
