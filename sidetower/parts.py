"""The one wiring file: which adapter answers each port, built lazily, once for each process."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from domain.catalogue import Kind
from domain.errors import ConfigurationError, NotFound
from domain.ports import (
    Checkpoints,
    Generations,
    ItemEmbedder,
    ItemSource,
    ParkedItems,
    ReleaseStore,
    SearchEngine,
    WorkQueue,
)
from indexer.comparison import Comparison
from indexer.drain import Drainer
from indexer.live import LiveWriter
from indexer.releases import ReleaseView
from plugin.bundle_store import FolderBundleStore
from sidetower.config import Config

if TYPE_CHECKING:
    from plugin.embedded.database import Database
    from plugin.opensearch.client import OpenSearch
    from recommender.bundle import Bundle
    from rerank_service.parts import GatewayParts
    from rerank_service.searches import Searches
    from sidetower.metrics import Metrics

log = logging.getLogger(__name__)

#: Seconds that the space of a generation is remembered for, on behalf of its writers.
SPACE_SECONDS: Final = 5.0


class Parts:
    """Everything that a process of ours is made of; only what is asked for is imported and built.

    Args:
        config: from `sidetower.config.load_config`.
        threads: of one network call; one for a process that answers requests.
        interrupts: exceptions that tell this process to stop; what it works on then goes back uncounted.
    """

    def __init__(self, config: Config, threads: int = 1, interrupts: tuple[type[Exception], ...] = ()) -> None:
        self.config = config
        self._threads = threads
        self._interrupts = interrupts
        self._load_bundle: Callable[[str], Bundle] = lru_cache(maxsize=4)(self._read_bundle)
        self._spaces: dict[str, tuple[float, str]] = {}
        # Several threads that miss at once would each load the same bundle.
        self._loading = threading.RLock()

    @property
    def embedded(self) -> bool:
        """Whether the engine is the embedded one."""
        return not self.config.engine.opensearch

    @cached_property
    def engine(self) -> SearchEngine:
        """Retrieves and stores items."""
        if self.embedded:
            from plugin.embedded.engine import EmbeddedEngine

            return EmbeddedEngine(self._database)
        from plugin.opensearch.engine import OpenSearchEngine

        return OpenSearchEngine(self.client, self.config.engine.prefix)

    @cached_property
    def generations(self) -> Generations:
        """Creates and lists generations."""
        if self.embedded:
            from plugin.embedded.generations import EmbeddedGenerations

            return EmbeddedGenerations(self._database)
        from plugin.opensearch.generations import OpenSearchGenerations

        return OpenSearchGenerations(self.client, self.config.engine.prefix)

    @cached_property
    def releases(self) -> ReleaseStore:
        """The release documents."""
        if self.embedded:
            from plugin.embedded.releases import EmbeddedReleases

            return EmbeddedReleases(self._database)
        from plugin.opensearch.releases import OpenSearchReleases

        return OpenSearchReleases(self.client, self.config.engine.prefix)

    @cached_property
    def parked(self) -> ParkedItems:
        """What failed too often."""
        if self.embedded:
            from plugin.embedded.parked import EmbeddedParkedItems

            return EmbeddedParkedItems(self._database)
        from plugin.opensearch.parked import OpenSearchParkedItems

        return OpenSearchParkedItems(self.client, self.config.engine.prefix)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """How far long work has come."""
        if self.embedded:
            from plugin.embedded.checkpoints import EmbeddedCheckpoints

            return EmbeddedCheckpoints(self._database)
        from plugin.opensearch.checkpoints import OpenSearchCheckpoints

        return OpenSearchCheckpoints(self.client, self.config.engine.prefix)

    @cached_property
    def queue(self) -> WorkQueue:
        """What waits for a vector."""
        if self.config.queue.redis:
            from plugin.queues.redis_queue import RedisQueue

            return RedisQueue(self.config.queue.redis, namespace=self.namespace)
        from plugin.queues.in_process import InProcessQueue

        return InProcessQueue()

    @property
    def namespace(self) -> str:
        """Start of every key in Redis: installations with prefixes of their own share no work."""
        return self.config.engine.prefix.rstrip("-_")

    @cached_property
    def bundles(self) -> FolderBundleStore:
        """The write-once bundles."""
        return FolderBundleStore(self.config.path / "bundles")

    @cached_property
    def view(self) -> ReleaseView:
        """The releases as this process sees them."""
        return ReleaseView(self.releases)

    @cached_property
    def live(self) -> LiveWriter:
        """Takes changes."""
        return LiveWriter(self.engine, self.view, self.queue, self.embedder_of, on_write=self.metrics.wrote)

    @cached_property
    def metrics(self) -> Metrics:
        """What this process counts."""
        from sidetower.metrics import Metrics

        return Metrics()

    def serve_metrics(self) -> None:
        """Tell the figures of this process and the standing of all at the port that the environment names, if any."""
        if self.config.metrics_port:
            self.watch_standing()
            self.metrics.serve(self.config.metrics_port)

    def watch_standing(self) -> None:
        """Let this process's figures tell what waits in the queue and in the engine, too."""
        from sidetower.standing import Standing

        self.metrics.registry.register(Standing(self))

    @cached_property
    def comparison(self) -> Comparison:
        """Compares the generations of a kind."""
        return Comparison(self.engine, self.generations, self.view, self.queue)

    @cached_property
    def drainer(self) -> Drainer:
        """Works off the queue."""
        return Drainer(
            self.engine,
            self.queue,
            self.parked,
            self.embedder_of,
            interrupts=self._interrupts,
            overlap=not self.embedded,
        )

    @cached_property
    def searches(self) -> Searches:
        """Answers searches in this process, as the service does."""
        from rerank_service.degraded import Tally
        from rerank_service.searches import Searches
        from rerank_service.shelf import BundleShelf
        from rerank_service.snapshot import Snapshots

        shelf = BundleShelf(self.bundle, capacity=2)
        tally = Tally()
        snapshots = Snapshots(self.config.kinds, self.view.current, self.generation_space, shelf)
        return Searches(self.engine, snapshots, tally)

    @cached_property
    def client(self) -> OpenSearch:
        """The OpenSearch client."""
        from plugin.opensearch.client import connect

        engine = self.config.engine
        return connect(engine.opensearch, engine.user, engine.password)

    @cached_property
    def gateway(self) -> GatewayParts | None:
        """The host's cluster behind the gateway, None without one; of one event loop."""
        settings = self.config.gateway
        if settings is None:
            return None
        from plugin.host_cluster import HostCluster
        from rerank_service.parts import GatewayParts

        return GatewayParts(HostCluster(settings.opensearch), settings.targets)

    def source(self, kind: Kind) -> ItemSource:
        """Where the configuration says that the host keeps the items of this kind.

        Raises:
            ConfigurationError: it names no source.
        """
        index = self.config.sources.get(kind.name, "")
        if not index:
            fix = f'Write source = "INDEX", the index of yours that holds them, under [kinds.{kind.name}].'
            place = f"{self.config.place}, [kinds.{kind.name}]"
            raise ConfigurationError(place, expected="source, to read items from", got="nothing", fix=fix)
        return self.host_index(index, kind)

    def host_index(self, index: str, kind: Kind) -> ItemSource:
        """An index of the host in the configured OpenSearch; it is read, never written."""
        from plugin.opensearch.source import OpenSearchSource

        return OpenSearchSource(self.client, index, kind.id)

    def bundle(self, bundle_id: str) -> Bundle:
        """The bundle of this id, loaded once.

        Raises:
            NotFound: no such bundle.
            BundleRefused: it is damaged or mixed.
        """
        with self._loading:
            return self._load_bundle(bundle_id)

    def generation_space(self, name: str) -> str | None:
        """The space of a generation, None when there is no such generation."""
        return next((one.space for one in self.generations.all() if one.name == name), None)

    def embedder_of(self, generation: str) -> ItemEmbedder:
        """The embedder of the generation's own space.

        Raises:
            NotFound: no such generation, or no bundle of its space in the store.
            BundleRefused: the bundle is damaged.
        """
        with self._loading:
            return self._embedders(self._space_now(generation))

    def _space_now(self, generation: str) -> str:
        """The generation's space; asked anew now and then, because its name can be given again after it was dropped."""
        asked_at, space = self._spaces.get(generation, (0.0, ""))
        if not space or time.monotonic() - asked_at >= SPACE_SECONDS:
            space = self.generation_space(generation) or ""
            if not space:
                raise NotFound(
                    f"generation {generation}",
                    expected="a generation of the engine",
                    got="none of that name",
                    fix="See the generations with `sidetower status`.",
                )
            self._spaces[generation] = (time.monotonic(), space)
        return space

    @cached_property
    def _embedders(self) -> Callable[[str], ItemEmbedder]:
        # By space; failures are not cached.
        return lru_cache(maxsize=16)(self._find_embedder)

    def _find_embedder(self, space: str) -> ItemEmbedder:
        for bundle_id in self.bundles.ids():
            if self._space_of(bundle_id) == space:
                return self.bundle(bundle_id).embedder
        raise NotFound(
            f"space {space}",
            expected="a bundle of this space",
            got=f"none in {self.config.path / 'bundles'}",
            fix="Copy the bundle that the generation was filled with into that folder.",
        )

    def _space_of(self, bundle_id: str) -> str:
        """The space that the bundle's manifest names; empty when it cannot be read, which is that bundle's trouble."""
        try:
            return str(
                json.loads((self.bundles.path(bundle_id) / "manifest.json").read_text(encoding="utf-8"))["space"]
            )
        except (OSError, ValueError, KeyError, TypeError, NotFound) as error:
            log.warning("bundle %s cannot be read: %s", bundle_id, error)
            return ""

    def _read_bundle(self, bundle_id: str) -> Bundle:
        from recommender.bundle import load_bundle

        return load_bundle(self.bundles.path(bundle_id), threads=self._threads)

    @cached_property
    def _database(self) -> Database:
        from plugin.embedded.database import Database

        self.config.path.mkdir(parents=True, exist_ok=True)
        return Database(self.config.path / "engine.db")


def milliseconds() -> int:
    """The revision of what has none of its own: milliseconds since 1970."""
    return time.time_ns() // 1_000_000
