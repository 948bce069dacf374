"""Real servers and processes for the episodes: OpenSearch, Redis, the service and two workers, all of which may die."""

from __future__ import annotations

import random
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx
import redis

from domain.errors import SidetowerError
from sidetower.indexing import generation_of
from sidetower.parts import Parts
from tests.journeys.catalogue import CONFIG, cars, write_jsonl
from tests.journeys.conftest import remove_indexes
from tests.journeys.house import KIND, House
from tests.journeys.processes import Background, until
from tests.support import opensearch_node
from tests.support.redis_server import running_redis

WORKERS: Final = 2
#: Documents that the bundle is built from.
SAMPLE: Final = 200


class Disaster(StrEnum):
    """What befalls a town."""

    WORKER_KILLED = "worker killed"
    SERVICE_KILLED = "service killed"
    REDIS_FLUSHED = "Redis flushed"
    NODE_RESTARTED = "node restarted"
    NODE_KILLED = "node killed and restarted"


@dataclass
class Node:
    """An OpenSearch node that comes back on the same data and the same port."""

    folder: Path
    running: opensearch_node.Node

    def restart(self, *, by_kill: bool) -> None:
        """End it, gently or not, and start it again."""
        opensearch_node.stop(self.folder, by_kill=by_kill)
        port = int(self.running.url.rpartition(":")[2])
        self.running = opensearch_node.start(self.folder, port=port, fast=True)


class Town:
    """One installation with its servers; two generations of one kind are written.

    Args:
        house: its folder, configuration and bundle.
        node: holds the indexes; None = one that nothing must happen to.
        redis_url: holds the queue.
    """

    def __init__(self, house: House, node: Node | None, redis_url: str) -> None:
        self.house = house
        self.happened: Counter[str] = Counter()
        self._node = node
        self._redis_url = redis_url
        self._port = _free_port()
        self._service = self._start("serve", "--port", str(self._port))
        self._workers = [self._start("work") for _ in range(WORKERS)]

    @property
    def url(self) -> str:
        """Where the service is, whenever it is."""
        return f"http://127.0.0.1:{self._port}"

    def parts(self) -> Parts:
        """A second pair of eyes on the same engine."""
        return self.house.parts()

    def await_service(self) -> None:
        """Until it says that traffic may come."""

        def ready() -> bool:
            try:
                return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        until(ready, "the service is ready", seconds=120)

    def suffer(self, disaster: Disaster, rng: random.Random) -> None:
        """Let it happen, and start again what has died."""
        self.happened[disaster] += 1
        if disaster is Disaster.WORKER_KILLED:
            self.replace_worker(rng.randrange(WORKERS))
        elif disaster is Disaster.SERVICE_KILLED:
            self._service.kill()
            self._service = self._start("serve", "--port", str(self._port))
            self.await_service()
        elif disaster is Disaster.REDIS_FLUSHED:
            with redis.Redis.from_url(self._redis_url, socket_timeout=5) as server:
                server.flushall()
        elif self._node is not None:
            self._node.restart(by_kill=disaster is Disaster.NODE_KILLED)

    def replace_worker(self, number: int) -> None:
        """kill -9, and a new one."""
        self._workers[number].kill()
        self._workers[number] = self._start("work")

    def close(self) -> None:
        """Kill the processes."""
        for process in (self._service, *self._workers):
            process.kill()

    def _start(self, *arguments: str) -> Background:
        return Background(self.house.folder, *arguments, environ={"OMP_NUM_THREADS": "1"})


def build_house(folder: Path) -> House:
    """A house with a bundle, built by the real command line; takes some twenty seconds."""
    folder.mkdir()
    (folder / "sidetower.toml").write_text(CONFIG)
    house = House(folder)
    house.index(write_jsonl(folder / "sample.jsonl", cars(SAMPLE)), "sample")
    return house


@contextmanager
def running_town(built: House, folder: Path, opensearch: str = "") -> Iterator[Town]:
    """A town with the bundle of a house that is there.

    Args:
        built: from `build_house`.
        folder: that whoever runs a node may enter.
        opensearch: address of a node of others, which is left in peace; "" = one of the town's own.
    """
    with ExitStack() as stack:
        node = None
        if not opensearch:
            node = Node(folder / "node", opensearch_node.start(folder / "node", fast=True))
            stack.callback(opensearch_node.stop, node.folder)
        redis_url = stack.enter_context(running_redis(folder))
        prefix = f"town-{uuid.uuid4().hex[:8]}-"
        url = node.running.url if node else opensearch
        house = built.unfilled(folder / "house", opensearch=url, prefix=prefix, redis=redis_url)
        if not node:
            stack.callback(remove_indexes, house, prefix)
        _write_two_generations(house)
        town = Town(house, node, redis_url)
        stack.callback(town.close)
        town.await_service()
        yield town


def _write_two_generations(house: House) -> None:
    """A second generation beside the first: both take every change from the beginning."""
    parts = house.parts()
    held = parts.releases.get(KIND)
    assert held is not None
    first = held.release.default.generation
    second = generation_of(parts.config.kind(KIND), f"{KIND}-g2", parts.generation_space(first) or "")
    parts.generations.create(second)
    parts.releases.put(replace(held.release, writing=(first, second.name)), held.token)


def patiently(ask: Callable[[], bool], what: str, seconds: float) -> None:
    """Until it is so; a server that does not answer is asked again."""

    def answered() -> bool:
        try:
            return ask()
        except SidetowerError:
            time.sleep(1)
            return False

    until(answered, what, seconds)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
