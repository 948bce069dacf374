"""Where the runs keep what outlives a process: a fresh database or fresh indexes for each run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from domain.ports import Generations, ParkedItems, ReleaseStore, SearchEngine

#: A folder in memory where there is one: thousands of runs, each with a database of its own.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only where tempfile makes its folder


class Ports(NamedTuple):
    """What a process reaches the storage by."""

    engine: SearchEngine
    generations: Generations
    releases: ReleaseStore
    parked: ParkedItems


#: Opens the storage as a process does that starts.
Connect = Callable[[], Ports]
#: Makes the storage of one run.
Storage = Callable[[], AbstractContextManager[Connect]]


@contextmanager
def embedded_storage() -> Iterator[Connect]:
    """A fresh SQLite file; each process has its own connections."""
    from plugin.embedded.database import Database
    from plugin.embedded.engine import EmbeddedEngine
    from plugin.embedded.generations import EmbeddedGenerations
    from plugin.embedded.parked import EmbeddedParkedItems
    from plugin.embedded.releases import EmbeddedReleases

    opened: list[Database] = []
    with tempfile.TemporaryDirectory(prefix="oracle-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:

        def connect() -> Ports:
            base = Database(Path(folder) / "engine.db")
            opened.append(base)
            return Ports(
                EmbeddedEngine(base), EmbeddedGenerations(base), EmbeddedReleases(base), EmbeddedParkedItems(base)
            )

        try:
            yield connect
        finally:
            for base in opened:
                base.close()


def opensearch_storage(url: str, prefix: str) -> Storage:
    """Fresh indexes for the items of each run, on the node at this address; sockets and small indexes are shared.

    Args:
        url: of the node.
        prefix: of every index.
    """
    from plugin.opensearch.client import connect as client_of
    from plugin.opensearch.engine import OpenSearchEngine
    from plugin.opensearch.generations import OpenSearchGenerations
    from plugin.opensearch.parked import OpenSearchParkedItems
    from plugin.opensearch.releases import OpenSearchReleases

    client = client_of(url)

    def connect() -> Ports:
        return Ports(
            OpenSearchEngine(client, prefix),
            OpenSearchGenerations(client, prefix),
            OpenSearchReleases(client, prefix),
            OpenSearchParkedItems(client, prefix),
        )

    @contextmanager
    def storage() -> Iterator[Connect]:
        ports = connect()
        try:
            yield connect
        finally:
            for generation in ports.generations.all():
                ports.generations.drop(generation.name)
            ports.parked.free([one.work for one in ports.parked.all()])

    return storage
