"""The live lane in this process: changes taken, queued and embedded as service and worker do."""

from __future__ import annotations

import uuid

from benchmarks.installation import Installation
from domain.ports import ItemEmbedder, WorkQueue
from domain.releases import Held, Pointer, Release, Stage
from domain.work import Lane
from indexer.drain import Drainer, DrainReport
from indexer.live import LiveWriter
from indexer.releases import ReleaseView
from plugin.queues.redis_queue import RedisQueue


class OneRelease:
    """A release store that knows one release.

    Args:
        release: the only one.
    """

    def __init__(self, release: Release) -> None:
        self._release = release

    def get(self, _kind: str) -> Held:
        """The release, of whatever kind."""
        return Held(self._release, "1")

    def put(self, _release: Release, token: str | None) -> Held:
        """Nothing is ever changed."""
        raise NotImplementedError(token)

    def kinds(self) -> list[str]:
        """Its kind."""
        return [self._release.kind]


def queue_of(installation: Installation) -> WorkQueue:
    """A queue that nobody else uses, in the installation's Redis."""
    return RedisQueue(installation.parts.config.queue.redis, namespace=f"bench-{uuid.uuid4().hex[:8]}")


def live_writer(installation: Installation, generation: str, queue: WorkQueue, embedder: ItemEmbedder) -> LiveWriter:
    """Takes changes into this generation alone."""
    kind = installation.kind.name
    release = Release(kind, Pointer(generation, installation.bundle.id), (generation,), Stage.SERVING)
    return LiveWriter(installation.parts.engine, ReleaseView(OneRelease(release)), queue, lambda _: embedder)


def drain_all(installation: Installation, queue: WorkQueue, embedder: ItemEmbedder) -> DrainReport:
    """What became of the queue's tasks until nothing was due."""
    parts = installation.parts
    drainer = Drainer(parts.engine, queue, parts.parked, lambda _: embedder)
    return drainer.drain(Lane.LIVE, float("inf"))
