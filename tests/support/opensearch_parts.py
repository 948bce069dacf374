"""The OpenSearch answers of the engine's ports on a real node, under a prefix that is removed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.ports import Generations, ParkedItems, ReleaseStore, SearchEngine
from plugin.opensearch.client import connect
from plugin.opensearch.engine import OpenSearchEngine
from plugin.opensearch.generations import OpenSearchGenerations
from plugin.opensearch.parked import OpenSearchParkedItems
from plugin.opensearch.releases import OpenSearchReleases


@contextmanager
def opensearch_parts(url: str, prefix: str) -> Iterator[tuple[SearchEngine, Generations, ReleaseStore, ParkedItems]]:
    """Engine, generations, releases and parked items over one client."""
    client = connect(url)
    try:
        yield (
            OpenSearchEngine(client, prefix),
            OpenSearchGenerations(client, prefix),
            OpenSearchReleases(client, prefix),
            OpenSearchParkedItems(client, prefix),
        )
    finally:
        client.indices.delete(index=f"{prefix}*", ignore=[404])
        client.close()
