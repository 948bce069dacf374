"""How soon a change told over HTTP can be found, by text and by vector, alone and beside a large fill.

The service, a worker, Redis and OpenSearch run as processes of their own. A change is found when a search sees it:
its document after a refresh (then its text matches), and that document in the state ready (then its vector is in the
k-NN graph that the same refresh opened).

Usage: SIDETOWER_DATA=... python -m benchmarks.freshness [--encoder bootstrap] [--rate 20] [--seconds 60]
       [--items 5000] [--fill 50000] [--edits 1000] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.catalogues import TENANT
from benchmarks.report import publish
from benchmarks.site import Running, many_cars, running_site
from tests.journeys.processes import Background, until

#: Seconds between two looks; what is told is late by half of it on average.
LOOK = 0.05
SENDERS = 8
#: Seconds that the last changes of a run may take.
PATIENCE = 180.0
#: Seconds until text and vector are found, at the 99th percentile.
BARS = {"alone": (1.3, 3.0), "beside a fill": (2.5, 5.0)}
#: Share of its rate alone that the fill has to keep.
FILL_BAR = 0.5
EMBEDDED = 'sidetower_vectors_total{kind="listing",lane="live",outcome="embedded"}'
BATCHES = 'sidetower_embedding_batches_total{lane="live"}'


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="bootstrap")
    parser.add_argument("--rate", type=float, default=20.0, help="changes a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of changes alone")
    parser.add_argument("--items", type=int, default=5_000, help="in the index before")
    parser.add_argument("--fill", type=int, default=50_000, help="0 leaves the fill out")
    parser.add_argument("--edits", type=int, default=1_000, help="of one item within ten seconds; 0 leaves them out")
    parser.add_argument("--keep", default="", help="folder for catalogue and bundle, used again by the next run")
    arguments = parser.parse_args()
    note = f"encoder {Path(arguments.encoder).name}, {arguments.rate:g} changes/s, seconds until found"
    with running_site(arguments.keep, arguments.encoder, arguments.items) as running, running.worker() as worker:
        until(lambda: bool(running.figures(worker)), "the worker answers", seconds=180)
        changes = Changes(running, arguments.items)
        changes.run(arguments.rate, _seconds(10))  # warm
        rows = [_row("alone", changes.run(arguments.rate, _seconds(arguments.seconds)))]
        publish("freshness", rows, note)
        if arguments.fill:
            rows.append(_beside(running, changes, arguments))
            publish("freshness", [{name: row.get(name, "") for name in rows[-1]} for row in rows], note)
        if arguments.edits:
            publish("freshness_edits", [_edits(running, worker, arguments.edits)], "one item, told within ten seconds")


@dataclass
class Found:
    """Seconds from telling a change to finding it."""

    text: list[float] = field(default_factory=list)
    vector: list[float] = field(default_factory=list)
    #: Changes a second that were really told.
    rate: float = 0.0
    #: When telling ended.
    ended: float = 0.0


class Changes:
    """Tells changes of random items at a steady rate, and looks for them.

    Args:
        running: the site.
        items: how many cars its index holds.
    """

    def __init__(self, running: Running, items: int) -> None:
        self._running = running
        self._documents = list(islice(many_cars(items, "car"), items))
        self._revision = 1
        self._rng = random.Random(7)
        #: By id: revision, when it was told, and whether its text was found.
        self._open: dict[str, tuple[int, float, bool]] = {}
        self._lock = threading.Lock()

    def run(self, rate: float, going: Callable[[], bool]) -> Found:
        """Tell changes for as long as `going` says so, and wait until the last is found."""
        found, stop = Found(), threading.Event()
        watch = threading.Thread(target=self._watch, args=(found, stop), daemon=True)
        watch.start()
        began = time.monotonic()
        told = 0
        limits = httpx.Limits(max_connections=SENDERS)
        with (
            httpx.Client(base_url=self._running.site.url, timeout=60, trust_env=False, limits=limits) as http,
            ThreadPoolExecutor(SENDERS) as senders,
        ):
            sent = []
            while going():
                sent.append(senders.submit(self._tell, http))
                told += 1
                time.sleep(max(0.0, began + told / rate - time.monotonic()))
            found.ended = time.monotonic()
            for one in sent:
                one.result()
        found.rate = told / (found.ended - began)
        until(lambda: not self._open, "the last change is found", seconds=PATIENCE)
        stop.set()
        watch.join()
        return found

    def _tell(self, http: httpx.Client) -> None:
        with self._lock:
            document = self._rng.choice(self._documents)
            while document["listing_id"] in self._open:
                document = self._rng.choice(self._documents)
            self._revision += 1
            revision, id_ = self._revision, document["listing_id"]
            self._open[id_] = (revision, time.monotonic(), False)
        title = f"{document['title']} number {revision}"
        body = json.loads(json.dumps(document | {"revision": revision, "title": title}, default=str))
        answer = http.put(f"/v1/items/listing/{id_}", json=body, headers={"X-Sidetower-Tenant": TENANT})
        if (answer.status_code, answer.json().get("outcome")) != (200, "written"):
            raise AssertionError(answer.text)

    def _watch(self, found: Found, stop: threading.Event) -> None:
        parts = self._running.installation.parts
        index = f"{parts.config.engine.prefix}{self._running.generation}"
        while not stop.wait(LOOK):
            ids = list(self._open)
            if not ids:
                continue
            body = {"query": {"terms": {"id": ids}}, "size": 10_000, "_source": ["id", "revision", "vector_state"]}
            hits = parts.client.search(index=index, body=body, request_timeout=60)["hits"]["hits"]
            now = time.monotonic()
            for source in (hit["_source"] for hit in hits):
                self._note(found, source, now)

    def _note(self, found: Found, source: dict[str, Any], now: float) -> None:
        with self._lock:
            revision, told, text = self._open[source["id"]]
            if source["revision"] < revision:
                return
            if not text:
                found.text.append(now - told)
                self._open[source["id"]] = (revision, told, True)
            if source["vector_state"] == "ready":
                found.vector.append(now - told)
                del self._open[source["id"]]


def _seconds(count: float) -> Callable[[], bool]:
    until_ = time.monotonic() + count
    return lambda: time.monotonic() < until_


def _row(name: str, found: Found) -> dict[str, Any]:
    row: dict[str, Any] = {"run": name, "changes": len(found.text), "told /s": round(found.rate, 1)}
    for way, seconds, bar in zip(("text", "vector"), (found.text, found.vector), BARS[name], strict=True):
        p50, p99 = (float(np.quantile(seconds, share)) for share in (0.5, 0.99))
        row |= {f"{way} p50": p50, f"{way} p99": p99, f"{way} bar": bar, f"{way} met": p99 <= bar}
    return row


def _beside(running: Running, changes: Changes, arguments: argparse.Namespace) -> dict[str, Any]:
    """Changes for as long as a fill runs, and what the fill keeps of its rate."""
    began = time.monotonic()
    with running.index(_cars_file(running, arguments.fill, "alone")) as fill:
        until(lambda: not fill.running, "the fill alone", seconds=3_600)
        _succeeded(fill)
    alone = time.monotonic() - began
    file = _cars_file(running, arguments.fill, "beside")
    began = time.monotonic()
    with running.index(file) as fill:
        found = changes.run(arguments.rate, lambda: fill.running)
        _succeeded(fill)
    kept = alone / (found.ended - began)
    row = _row("beside a fill", found) | {"fill /s alone": arguments.fill / alone, "fill keeps": kept}
    return row | {"fill met": kept >= FILL_BAR}


def _edits(running: Running, worker: Background, edits: int) -> dict[str, Any]:
    """One item told again and again: how often it was embedded, and whether the last word stands."""
    before = running.figures(worker)
    [document] = many_cars(1, "edited")
    first, began = 1_000_000, time.monotonic()
    with httpx.Client(base_url=running.site.url, timeout=60, trust_env=False) as http:
        for number in range(edits):
            body = document | {"revision": first + number, "title": f"{document['title']} edit {number}"}
            headers = {"X-Sidetower-Tenant": TENANT}
            answer = http.put(
                "/v1/items/listing/edited-0", json=json.loads(json.dumps(body, default=str)), headers=headers
            )
            answer.raise_for_status()
            time.sleep(max(0.0, began + 10 * number / edits - time.monotonic()))
    seconds = time.monotonic() - began
    last = {"edited-0": first + edits - 1}
    until(lambda: _refreshed_faults(running, last) == 0, "the last edit has its vector", seconds=PATIENCE)
    until(lambda: running.figures(worker).get(EMBEDDED, 0) > before.get(EMBEDDED, 0), "its figures follow")
    after = running.figures(worker)
    made, written = (after.get(name, 0) - before.get(name, 0) for name in (BATCHES, EMBEDDED))
    return {
        "edits": edits,
        "seconds": seconds,
        "embeddings": int(made),
        "vectors written": int(written),
        "bar": 12,
        "met": made <= 12,
        "last edit stands": True,
    }


def _refreshed_faults(running: Running, revision: dict[str, int]) -> int:
    running.standing()
    return running.faults(revision)


def _cars_file(running: Running, count: int, prefix: str) -> Path:
    file = running.installation.folder / f"{prefix}.jsonl"
    with file.open("w", encoding="utf-8") as target:
        target.writelines(json.dumps(row, default=str) + "\n" for row in many_cars(count, prefix))
    return file


def _succeeded(fill: Background) -> None:
    if fill.wait(60) != 0:
        raise AssertionError(fill.told())


if __name__ == "__main__":
    main()
