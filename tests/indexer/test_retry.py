"""Retry: what was parked gets another chance once the cause is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from domain.errors import NotFound, Unavailable
from domain.items import ItemKey, Removal
from domain.versions import VectorState
from domain.work import MAX_ATTEMPTS_ALONE, Lane, ParkedItem, WorkKey
from indexer.fill import Filler
from indexer.reconcile import free_settled, requeue_pending
from indexer.retry import PAGE, RetryReport, retry_parked
from tests.indexer.conftest import House, item
from tests.indexer.test_drain import drain_until_quiet
from tests.support.failing import AWAY, Failing
from tests.support.toy_embedder import ToyEmbedder

ROOT = Path(__file__).parents[2]


def parked(name: str, tenant: str = "a", kind: str = "listing", generation: str = "listing-g1") -> ParkedItem:
    return ParkedItem(WorkKey(ItemKey(tenant, kind, name), generation), 1, 6, "cannot embed", 100.0)


def names(house: House) -> list[str]:
    return [str(one.work.key) for one in house.parked.all()]


def test_poison_is_parked_told_and_embedded_once_the_cause_is_gone(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(1), item(9, title="poison")])
    assert drain_until_quiet(house) == 1
    [one] = house.parked.all()
    assert (str(one.work.key), one.work.generation) == ("a/listing/i9", "listing-g1")
    # In one batch with its neighbour, then alone.
    assert one.attempts == 1 + MAX_ATTEMPTS_ALONE
    house.clock.now += 3600
    assert requeue_pending(house.engine, house.queue, house.parked, "listing-g1", clock=house.clock) == 0
    house.embedder = ToyEmbedder()
    assert retry_parked(house.parked, house.queue) == RetryReport(freed=1, queued=1)
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 1
    assert house.vector_state(item(9).key) is VectorState.READY
    assert house.parked.all() == []


@pytest.mark.parametrize("then", ["removed", "changed", "embedded", "dropped"])
def test_what_nothing_waits_for_any_more_is_forgotten(house: House, then: str) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(8, title="poison"), item(9, title="poison")])
    assert drain_until_quiet(house) == 2
    assert free_settled(house.engine, house.parked) == 0
    if then == "removed":
        house.live.apply([Removal(item(9).key, 2)])
    elif then == "changed":
        house.live.apply([item(9, 2, title="sound")])
    elif then == "embedded":
        Filler(house.engine, "listing-g1", ToyEmbedder(), clock=house.clock).fill([item(9, title="poison")])
    else:
        house.generations.drop("listing-g1")
    assert free_settled(house.engine, house.parked) == (2 if then == "dropped" else 1)
    assert names(house) == ([] if then == "dropped" else ["a/listing/i8"])


def test_poison_that_is_poison_still_is_parked_again(house: House) -> None:
    house.embedder = ToyEmbedder(poison="poison")
    house.begin()
    house.live.apply([item(9, title="poison")])
    for _ in range(2):
        assert drain_until_quiet(house) == 1
        assert len(house.parked.all()) == 1
        assert retry_parked(house.parked, house.queue) == RetryReport(freed=1, queued=1)


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, []),
        ({"kind": "article"}, ["a/listing/i1", "b/listing/i1"]),
        ({"tenant": "b"}, ["a/article/i1", "a/listing/i1"]),
        ({"kind": "listing", "tenant": "a"}, ["a/article/i1", "b/article/i1", "b/listing/i1"]),
        ({"tenant": "nobody"}, ["a/article/i1", "a/listing/i1", "b/article/i1", "b/listing/i1"]),
    ],
)
def test_a_kind_or_a_tenant_alone_can_be_retried(house: House, chosen: dict[str, str], left: list[str]) -> None:
    house.parked.park([parked("i1", tenant, kind) for tenant in "ab" for kind in ("listing", "article")])
    report = retry_parked(house.parked, house.queue, **chosen)
    assert (report.freed, report.queued) == (4 - len(left), 4 - len(left))
    assert names(house) == left


def test_many_are_freed_in_pages(house: House) -> None:
    house.parked.park([parked(f"i{number:05}", tenant) for tenant in "ab" for number in range(PAGE)])
    assert retry_parked(house.parked, house.queue, tenant="b") == RetryReport(freed=PAGE, queued=PAGE)
    assert {one.work.key.tenant for one in house.parked.all(limit=2 * PAGE)} == {"a"}


def test_without_a_queue_the_freed_are_found_by_reconcile(house: House) -> None:
    house.begin()
    house.live.apply([item(1)])
    house.parked.park([parked("i1")])
    house.drainer.drain(Lane.LIVE, 5)
    assert house.vector_state(item(1).key) is VectorState.PENDING
    queue = Failing(house.queue, add=AWAY)
    assert retry_parked(house.parked, queue) == RetryReport(freed=1, queued=0)
    house.clock.now += 61
    assert requeue_pending(house.engine, house.queue, house.parked, "listing-g1", clock=house.clock) == 1
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 1


def test_parked_items_of_a_dropped_generation_end_with_a_retry(house: House) -> None:
    house.begin()
    house.parked.park([parked("i1", generation="listing-g0")])
    retry_parked(house.parked, house.queue)
    assert house.drainer.drain(Lane.LIVE, 5).stale == 1
    assert house.parked.all() == []


def command(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sidetower", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(params=["embedded", pytest.param("opensearch", marks=pytest.mark.opensearch)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A house on disk, empty but for three parked items."""
    from sidetower.config import load_config
    from sidetower.parts import Parts

    url = request.getfixturevalue("opensearch_url") if request.param == "opensearch" else ""
    prefix = f"retry-{os.getpid()}-"
    engine = f'[engine]\nopensearch = "{url}"\nprefix = "{prefix}"\n' if url else ""
    (tmp_path / "sidetower.toml").write_text(f'{engine}[kinds.listing]\nid = "id"\ntext = {{ title = 1.0 }}\n')
    parts = Parts(load_config(tmp_path / "sidetower.toml", {}))
    parts.parked.park([parked("i1"), parked("i2"), parked("i1", tenant="b")])
    yield tmp_path
    if url:
        parts.client.indices.delete(index=f"{prefix}*", ignore=[404])
        parts.client.close()


def test_the_command_frees_what_status_shows(folder: Path) -> None:
    def shown() -> list[str]:
        return [one["item"] for one in json.loads(command(folder, "status", "--json").stdout)["parked"]]

    assert shown() == ["a/listing/i1", "a/listing/i2", "b/listing/i1"]
    some = command(folder, "retry", "--tenant", "b", "--json")
    assert (some.returncode, json.loads(some.stdout)) == (0, {"freed": 1, "queued": 0})
    assert shown() == ["a/listing/i1", "a/listing/i2"]
    rest = command(folder, "retry", "--kind", "listing")
    assert (rest.returncode, rest.stderr) == (0, "")
    assert rest.stdout.startswith("2 freed")
    assert shown() == []
    assert command(folder, "retry").stdout == "Nothing is parked.\n"


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "told"),
    [
        (["--kind", "listings"], {}, NotFound.exit_code, "Did you mean listing?"),
        ([], {"SIDETOWER_OPENSEARCH_URL": "http://127.0.0.1:9"}, Unavailable.exit_code, "OpenSearch"),
        (["--config", "none.toml"], {}, 2, "no such file"),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], status: int, told: str
) -> None:
    (tmp_path / "sidetower.toml").write_text('[kinds.listing]\nid = "id"\ntext = { title = 1.0 }\n')
    done = command(tmp_path, "retry", *arguments, **environ)
    assert (done.returncode, done.stdout) == (status, "")
    assert told in done.stderr


@pytest.mark.redis
def test_the_command_queues_what_it_frees(folder: Path, redis_url: str) -> None:
    from sidetower.config import load_config
    from sidetower.parts import Parts

    queue = Parts(load_config(folder / "sidetower.toml", {"SIDETOWER_REDIS_URL": redis_url})).queue
    before = queue.depth(Lane.LIVE).waiting
    done = command(folder, "retry", "--json", SIDETOWER_REDIS_URL=redis_url)
    assert json.loads(done.stdout) == {"freed": 3, "queued": 3}
    assert queue.depth(Lane.LIVE).waiting == before + 3
    claim = queue.claim(Lane.LIVE, 1_000, 60)
    assert claim is not None
    queue.done(claim, [one.task for one in claim.tasks])


@pytest.mark.redis
def test_the_command_frees_while_redis_is_away(folder: Path) -> None:
    done = command(folder, "retry", "--json", SIDETOWER_REDIS_URL="redis://127.0.0.1:9/0")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"freed": 3, "queued": 0})
    assert "wait for reconcile" in done.stderr
