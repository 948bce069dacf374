"""A host names changed items in a Celery message: real Redis, OpenSearch, host index and worker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.items import ItemKey
from domain.versions import StoredItem, VectorState
from sidetower.config import load_config
from sidetower.indexing import first_generation
from sidetower.parts import Parts
from tests.journeys.processes import Background, run, until
from tests.support.needs import require_module
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.opensearch, pytest.mark.redis, pytest.mark.training, pytest.mark.slow]

CONFIG = """
[engine]
opensearch = "{url}"
prefix = "{prefix}"

[queue]
redis = "{redis}"

[kinds.listing]
id = "listing_id"
revision = "version"
tenant = "shop"
text = {{ title = 3.0 }}
number = ["price"]
source = "{host}-cars"

[kinds.article]
id = "article_id"
text = {{ title = 3.0 }}
source = "{host}-articles"

[kinds.review]
id = "review_id"
text = {{ title = 3.0 }}
"""
MAKES = ("Volvo", "Fiat", "Nissan", "Ford")


def car(number: int, version: int = 1, **fields: Any) -> dict[str, Any]:
    title = f"{MAKES[number % 4]} with {number} seats"
    return {"listing_id": str(number), "shop": "north", "title": title, "price": 1000.0 + number} | {
        "version": version,
        **fields,
    }


@dataclass
class Site:
    """A host with two indexes of its own, and Sidetower beside it."""

    folder: Path
    parts: Parts
    host: str
    redis: str

    def keep(self, kind: str, name: str, document: dict[str, Any] | None) -> None:
        """What the host itself does with its index; nothing is refreshed."""
        index = f"{self.host}-{kind}"
        if document is None:
            self.parts.client.delete(index=index, id=name)
        else:
            self.parts.client.index(index=index, id=name, body=document)

    def tell(self, *arguments: Any) -> None:
        """The host's message, sent with nothing of ours installed."""
        program = (
            "import json, sys; from celery import Celery\n"
            f"app = Celery(broker={self.redis!r})\n"
            f"app.conf.broker_transport_options = {{'global_keyprefix': '{self.parts.namespace}:'}}\n"
            "app.send_task('sidetower.item_changed', args=json.loads(sys.argv[1]), queue='changes')\n"
        )
        subprocess.run([sys.executable, "-c", program, json.dumps(arguments)], check=True, timeout=60)

    def stored(self, kind: str, name: str, tenant: str = "north") -> StoredItem | None:
        key = ItemKey(tenant, kind, name)
        return self.parts.engine.read(f"{kind}-g1", [key]).get(key)

    def ready(self, kind: str, name: str, revision: int) -> bool:
        found = self.stored(kind, name)
        return found is not None and found.vector_state is VectorState.READY and found.change.revision == revision


@pytest.fixture(scope="module")
def site(opensearch_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    for module, extra in (("tensorflow", "train"), ("onnxruntime", "serve"), ("celery", "serve")):
        require_module(module, extra)
    from recommender.training.bootstrap import Budget
    from recommender.training.zero import build_bundle_zero

    folder = tmp_path_factory.mktemp("site")
    host = f"host-{uuid.uuid4().hex[:8]}"
    with running_redis(folder) as redis:
        told = CONFIG.format(url=opensearch_url, prefix=f"{host}-own-", redis=redis, host=host)
        (folder / "sidetower.toml").write_text(told)
        parts = Parts(load_config(folder / "sidetower.toml", {}))
        made = Site(folder, parts, host, redis)
        kinds = [parts.config.kind(name) for name in ("listing", "article")]
        items = [kinds[0].item(car(number)) for number in range(40)]
        built = build_bundle_zero(kinds, items, "bootstrap", folder, budget=Budget(steps=20))
        bundle_id = parts.bundles.put(built)
        for kind in kinds:
            first_generation(parts, kind, bundle_id)
        for index in ("cars", "articles"):
            # Nothing is mapped, so that the host takes what Sidetower cannot read.
            parts.client.indices.create(index=f"{host}-{index}", body={"mappings": {"dynamic": False}})
        for number in range(10):
            made.keep("cars", str(number), car(number))
        made.keep("articles", "help", {"article_id": "help", "title": "How to sell a car"})
        parts.client.indices.refresh(index=f"{host}-*")
        yield made
        parts.client.indices.delete(index=f"{host}-*")
        parts.client.close()


def test_index_reads_the_source_where_no_file_is_named(site: Site) -> None:
    done = run(site.folder, "index", "--kind", "listing", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["read"] == 10
    assert site.ready("listing", "3", 1)
    assert site.parts.client.count(index=f"{site.host}-cars")["count"] == 10


def test_told_items_are_read_from_the_hosts_index_and_get_their_vectors(site: Site) -> None:
    with Background(site.folder, "work"):
        site.keep("cars", "100", car(100, 5))
        site.tell("listing", ["100"])
        until(lambda: site.ready("listing", "100", 5), "a new item with its vector")
        site.keep("cars", "100", car(100, 6, title="Citroen with a roof"))
        site.tell("listing", ["100"])
        until(lambda: site.ready("listing", "100", 6), "its newest revision with another vector")
        assert site.stored("listing", "100").item.texts == {"title": "Citroen with a roof"}  # type: ignore[union-attr]


def test_missing_and_broken_ones_are_told_and_their_neighbours_go_through(site: Site) -> None:
    with Background(site.folder, "work") as worker:
        for number in (200, 201, 202):
            site.keep("cars", str(number), car(number))
        site.tell("listing", ["200", "201"])
        until(lambda: site.ready("listing", "201", 1), "both are there")
        site.keep("cars", "200", None)
        site.keep("cars", "201", car(201, 2, price="cheap"))
        site.tell("listing", ["200", "201", "202"])
        until(lambda: site.ready("listing", "202", 1), "the neighbour")
        until(lambda: "has no 200" in worker.told(), "what the source does not have")
        assert "201, field price: expected a number, got 'cheap'" in worker.told()
        assert "Traceback" not in worker.told()
    assert [site.stored("listing", name).change.revision for name in ("200", "201")] == [1, 1]  # type: ignore[union-attr]


def test_a_kind_without_revisions_takes_the_time(site: Site) -> None:
    began = time.time_ns() // 1_000_000
    with Background(site.folder, "work"):
        site.tell("article", ["help"], "north")
        until(lambda: site.stored("article", "help") is not None, "the article")
        found = site.stored("article", "help")
        assert found is not None
        assert began <= found.change.revision <= time.time_ns() // 1_000_000
        until(lambda: site.ready("article", "help", found.change.revision), "its vector")


def test_what_cannot_be_read_ends_with_a_clear_error(site: Site) -> None:
    with Background(site.folder, "work") as worker:
        site.tell("review", ["1"], "north")
        until(lambda: "ConfigurationError" in worker.told(), "no source")
        assert "[kinds.review]: expected source, to read items from, got nothing" in worker.told()
        site.tell("listings", ["1"])
        until(lambda: "Did you mean listing?" in worker.told(), "an unknown kind")
        site.tell("listing", "17")
        until(lambda: "expected a list of ids, got '17'" in worker.told(), "one id that is no list")
        site.keep("cars", "300", car(300))
        site.tell("listing", ["300"])
        until(lambda: site.ready("listing", "300", 1), "the worker goes on")
