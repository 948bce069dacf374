"""Metrics of real processes: what the service and a worker tell Prometheus rises with what they do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.journeys.catalogue import cars, write_jsonl
from tests.journeys.conftest import FirstIndex
from tests.journeys.processes import until
from tests.journeys.site import serving
from tests.support.needs import require_module
from tests.support.redis_server import running_redis

pytestmark = [pytest.mark.training, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def scraped(url: str) -> dict[str, float]:
    """The samples by name and labels, as they are written; empty while nobody answers."""
    try:
        answer = httpx.get(f"{url}/metrics", timeout=20, trust_env=False)
    except httpx.TransportError:
        return {}
    assert answer.status_code == 200, answer.text
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def children(pid: int) -> list[int]:
    """The processes that this one forked."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.redis
def test_service_and_worker_tell_what_they_did(first_index: FirstIndex, redis_url: str, tmp_path: Path) -> None:
    require_module("celery", "serve")
    port = free_port()
    embedded = 'sidetower_vectors_total{kind="listing",lane="live",outcome="embedded"}'
    with running_redis(tmp_path) as redis:
        house = first_index.house.unfilled(tmp_path / "site", redis=redis)
        house.index(write_jsonl(tmp_path / "some.jsonl", cars(20)), "north")
        environ = {"SIDETOWER_METRICS_PORT": str(port)}
        with serving(house) as site, house.background("work", environ=environ) as worker:
            url = f"http://127.0.0.1:{port}"
            until(lambda: scraped(url).get('sidetower_items{generation="listing-g1",kind="listing"}') == 20, "a scrape")
            for document in cars(3, seed=5):
                site.put(document | {"revision": 9})
            told = scraped(site.url)
            put = 'sidetower_http_requests_total{method="PUT",route="/v1/items/{kind}/{id:path}",status="200"}'
            assert told[put] == 3
            assert told['sidetower_changes_total{generation="listing-g1",kind="listing",outcome="written"}'] == 3
            until(lambda: scraped(url).get(embedded, 0) == 3, "the worker tells three vectors")
            assert 'sidetower_queue_waiting{lane="live"}' in scraped(url)
            # The process that works answers; when it is killed, the next one does, and begins at 0.
            [working] = [one for one in children(worker.process.pid) if scraped_by(one, port)]
            os.kill(working, signal.SIGKILL)
            until(lambda: scraped(url).get("process_start_time_seconds", 0) > 0, "the next process answers")
            site.put(cars(1, seed=5)[0] | {"revision": 10, "title": "Quagga estate"})
            until(lambda: scraped(url).get(embedded, 0) >= 1, "and counts on")


def scraped_by(pid: int, port: int) -> bool:
    """Whether this process listens on the port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    links = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            links.append(str(one.readlink()))
    return any(f"socket:[{inode}]" in links for inode in inodes)
