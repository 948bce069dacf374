"""A house on each engine: engine, releases, parked items, one generation being written."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from domain.items import Item, ItemKey
from domain.ports import Generations, ParkedItems, ReleaseStore, SearchEngine, WorkQueue
from domain.releases import Generation
from domain.versions import VectorState
from indexer.drain import Drainer
from indexer.live import LiveWriter
from indexer.releases import ReleaseView, begin
from plugin.queues.in_process import InProcessQueue
from tests.support.toy_embedder import ToyEmbedder

KIND = "listing"


class Stop(Exception):
    """Tells the drainer of a house to stop, as a task's time limit does."""


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """Everything that the indexer is handed, with one generation `g` of kind `listing` in space `toy`."""

    engine: SearchEngine
    generations: Generations
    releases: ReleaseStore
    parked: ParkedItems
    embedder: ToyEmbedder
    queue: WorkQueue
    clock: Clock
    #: Gives a generation another space under the engine's hands.
    respace: Callable[[str, str], None]

    def __post_init__(self) -> None:
        self.view = ReleaseView(self.releases, self.clock)
        self.take_queue(self.queue)

    def take_queue(self, queue: WorkQueue) -> None:
        """Go on with this queue; the old one and all it held are gone."""
        self.queue = queue
        self.live = LiveWriter(self.engine, self.view, self.queue, lambda _: self.embedder, self.clock)
        self.drainer = Drainer(
            self.engine, self.queue, self.parked, lambda _: self.embedder, self.clock, interrupts=(Stop,)
        )

    def generation(self, name: str = "listing-g1") -> Generation:
        return Generation(name, KIND, self.embedder.space, {"title": 3.0, "body": 1.0}, {"make": "keyword"})

    def vector_state(self, key: ItemKey) -> VectorState:
        return self.engine.read("listing-g1", [key])[key].vector_state

    def begin(self) -> None:
        begin(self.releases, self.generations, self.generation(), "bundle-1")


def item(number: int, revision: int = 1, title: str = "red car", tenant: str = "a", **fields: object) -> Item:
    texts = {"title": title}
    return Item(ItemKey(tenant, KIND, f"i{number}"), revision, texts=texts, **fields)  # type: ignore[arg-type]


@pytest.fixture(params=["embedded", pytest.param("opensearch", marks=pytest.mark.opensearch)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    clock = Clock()
    queue = InProcessQueue(clock=clock)
    if request.param == "embedded":
        from plugin.embedded.database import Database
        from plugin.embedded.engine import EmbeddedEngine
        from plugin.embedded.generations import EmbeddedGenerations
        from plugin.embedded.parked import EmbeddedParkedItems
        from plugin.embedded.releases import EmbeddedReleases
        from tests.support.spaces import respace_embedded

        base = Database(tmp_path / "engine.db")
        parts = (EmbeddedEngine(base), EmbeddedGenerations(base), EmbeddedReleases(base), EmbeddedParkedItems(base))
        yield House(*parts, ToyEmbedder(), queue, clock, partial(respace_embedded, base))
        return
    from plugin.opensearch.client import connect
    from tests.support.opensearch_parts import opensearch_parts
    from tests.support.spaces import respace_opensearch

    url, prefix = request.getfixturevalue("opensearch_url"), f"t{uuid.uuid4().hex[:8]}-"
    with opensearch_parts(url, prefix) as made, contextlib.closing(connect(url)) as client:
        yield House(*made, ToyEmbedder(), queue, clock, partial(respace_opensearch, client, prefix))
