"""A site to measure: OpenSearch, Redis, the service and workers, each a process of its own, on generated listings."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from benchmarks.catalogues import CATALOGUES, TENANT, Catalogue, cars
from benchmarks.installation import Installation, install
from domain.items import Item
from domain.versions import VectorState
from sidetower.indexing import first_generation
from tests.journeys.processes import Background
from tests.journeys.site import Site, serving_with
from tests.support.opensearch_node import running_node
from tests.support.redis_server import running_redis

#: Cars whose price and revision are told with each change; the revision is the count of the change.
CARS: Catalogue = replace(
    CATALOGUES["cars"], toml=CATALOGUES["cars"].toml + 'revision = "revision"\n', rows=lambda: many_cars(2**40, "car")
)
LINES = 500


def many_cars(count: int, prefix: str, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Real listings over and over, each with an id and a price of its own, at revision 1."""
    rng = random.Random(seed)
    for number, row in zip(range(count), itertools.cycle(list(cars())), strict=False):
        price = round((row["price_eur"] or 9_000) * rng.uniform(0.7, 1.3))
        yield row | {"listing_id": f"{prefix}-{number}", "price_eur": price, "revision": 1}


@dataclass
class Running:
    """An installation whose service runs."""

    installation: Installation
    site: Site
    redis: str

    @property
    def generation(self) -> str:
        """The one that is written."""
        return f"{self.installation.kind.name}-g1"

    def worker(self) -> Background:
        """One more worker, to use in a ``with``; its figures are at `port_of`."""
        port = _free_port()
        environ = {"SIDETOWER_METRICS_PORT": str(port), "OMP_NUM_THREADS": "1"}
        started = Background(
            self.installation.folder, "work", "--config", self.installation.config.name, environ=environ
        )
        _PORTS[id(started)] = port
        return started

    def figures(self, worker: Background) -> dict[str, float]:
        """What the worker tells Prometheus, by name and labels; nothing while it starts."""
        try:
            text = httpx.get(f"http://127.0.0.1:{_PORTS[id(worker)]}/metrics", timeout=30, trust_env=False).text
        except httpx.TransportError:
            return {}
        return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}

    def index(self, file: Path) -> Background:
        """`sidetower index` of a file, to use in a ``with``."""
        arguments = (
            "index",
            "--config",
            self.installation.config.name,
            "--file",
            str(file),
            "--tenant",
            TENANT,
            "--json",
        )
        return Background(self.installation.folder, *arguments)

    def send(self, documents: list[dict[str, Any]]) -> None:
        """Tell the documents through the bulk door; every one has to be taken."""
        kind = self.installation.kind.name
        with httpx.Client(base_url=self.site.url, timeout=300, trust_env=False) as http:
            for start in range(0, len(documents), LINES):
                lines = [
                    json.dumps({"op": "put", "kind": kind, "document": one}, default=str)
                    for one in documents[start : start + LINES]
                ]
                headers = {"X-Sidetower-Tenant": TENANT, "Content-Type": "application/x-ndjson"}
                answer = http.post("/v1/items/bulk", content="\n".join(lines) + "\n", headers=headers)
                outcomes = [json.loads(line)["outcome"] for line in answer.text.splitlines()]
                if outcomes != ["written"] * len(lines):
                    raise AssertionError(answer.text[:2_000])

    def standing(self) -> tuple[int, int]:
        """Items, and how many of them are pending."""
        parts = self.installation.parts
        parts.engine.refresh(self.generation)
        counts = parts.generations.counts(self.generation)
        return sum(one.items for one in counts), sum(one.pending for one in counts)

    def faults(self, revision: dict[str, int]) -> int:
        """Items that are missing, of another revision than told, or without their vector."""
        engine, wrong, after, seen = self.installation.parts.engine, 0, None, 0
        while page := engine.scan(self.generation, after=after, limit=1_000):
            after = page[-1].key
            for one in page:
                if one.key.id in revision:
                    seen += 1
                    right = isinstance(one.change, Item) and one.change.revision == revision[one.key.id]
                    wrong += not right or one.vector_state is not VectorState.READY
        return wrong + len(revision) - seen


#: Ports of the workers that run.
_PORTS: dict[int, int] = {}


@contextlib.contextmanager
def running_site(keep: str, encoder: str, items: int) -> Iterator[Running]:
    """A site with so many cars in its index, their vectors made by this encoder.

    Args:
        keep: folder for catalogue and bundle; "" = one for this run.
        encoder: ``bootstrap``, or a model by name or folder.
        items: cars that are indexed before anything is measured, and that the bundle is built from.
    """
    with contextlib.ExitStack() as stack:
        servers = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sidetower-servers-")))
        place = Path(keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="sidetower-bench-")))
        node = stack.enter_context(running_node(servers / "node", fast=False))
        redis = stack.enter_context(running_redis(servers))
        folder = place / f"site-{Path(encoder).name}-{items}"
        made = install(folder, CARS, items=items, encoder=encoder, opensearch=node.url, redis=redis)
        first_generation(made.parts, made.kind, made.bundle.id)
        with stack.enter_context(_indexed(made, folder / "items.jsonl")):
            pass
        site = stack.enter_context(serving_with(folder, "serve", "--config", made.config.name, tenant=TENANT))
        yield Running(made, site, redis)


@contextlib.contextmanager
def _indexed(made: Installation, file: Path) -> Iterator[Background]:
    arguments = ("index", "--config", made.config.name, "--file", str(file), "--tenant", TENANT, "--json")
    with Background(made.folder, *arguments) as process:
        if process.wait(1_800) != 0:
            raise AssertionError(process.told())
        yield process


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
