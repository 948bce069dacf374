"""How fast candidates come back ranked: POST /v1/rerank with ids, scores and 50 events, beside what it is made of.

The service runs on one core, the load on another. First as much as it takes (100 candidates, everything kept in
memory), beside `/healthz` and the networks alone; then 100, 200 and 1,000 candidates at half of what it takes, with
all, nine tenths or none of the vectors kept. Times are counted from when a request was due, so a queue is seen.

Usage: SIDETOWER_DATA=... python -m benchmarks.latency [--items 20000] [--seconds 10] [--keep FOLDER]
       [--config FILE --tenant NAME]   (an installation that is there already, with trained networks for instance)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from benchmarks.cores import on_core
from benchmarks.load import paced, request_bytes, saturated
from benchmarks.report import publish
from domain.search import Query, Scope
from domain.vectors import DIMENSIONS, unit
from sidetower.config import load_config
from sidetower.parts import Parts

if TYPE_CHECKING:
    from fastapi import FastAPI

SERVER_CORE, LOAD_CORE = 0, 1
EVENTS = 50
SIZES = (100, 200, 1_000)
HIT_RATES = (1.0, 0.9, 0.0)
#: Milliseconds at the 99th percentile, everything kept.
BARS = {200: 5.0, 1_000: 12.0}
#: Requests a second with 100 candidates, or this share of what HTTP and the networks alone allow.
RATE_BAR, SHARE_BAR = 1_500.0, 0.75
#: Seconds to `/readyz`, and megabytes afterwards.
START_BARS = (2.0, 120.0)
#: Items kept in memory where few are to be found there.
FEW = 3_000


@dataclass(frozen=True)
class Subject:
    """The installation that is measured."""

    config: Path
    tenant: str
    kind: str
    ids: list[str]


def served() -> FastAPI:
    """The service as `sidetower serve` makes it, with as many vectors kept as SIDETOWER_BENCH_KEPT says."""
    from sidetower.service import create

    parts = Parts(load_config(Path(os.environ["SIDETOWER_CONFIG"]), os.environ))
    return create(parts, kept=int(os.environ["SIDETOWER_BENCH_KEPT"]))


class Server:
    """The service as a process on its core, until the context ends."""

    def __init__(self, subject: Subject, kept: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        environ = os.environ | {"SIDETOWER_CONFIG": str(subject.config), "SIDETOWER_BENCH_KEPT": str(kept)}
        command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.latency:served", "--no-access-log"]
        self._began = time.perf_counter()
        with on_core(SERVER_CORE):
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--log-level", "warning"], env=environ
            )
        self.start_seconds = self._ready()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def _ready(self) -> float:
        while time.perf_counter() - self._began < 60:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5, trust_env=False).status_code == 200:
                    return time.perf_counter() - self._began
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        sys.exit("the service was not ready within a minute")


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row")
    parser.add_argument("--keep", default="", help="folder for catalogue, bundle and index, used again")
    parser.add_argument("--config", default="", help="an installation that is there already")
    parser.add_argument("--tenant", default="bench")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sidetower-latency-") as folder, on_core(LOAD_CORE):
        subject = (
            existing(Path(arguments.config), arguments.tenant)
            if arguments.config
            else installed(Path(arguments.keep or folder), arguments.items)
        )
        whole = throughput(subject, arguments.seconds)
        publish("latency_throughput", [whole], note="requests/s on one core; formula: 0.75 / (1 / healthz + networks)")
        rows = [row for hits in HIT_RATES for row in latencies(subject, hits, arguments.seconds)]
    publish("latency", rows, note=f"ms from when each request was due, at half of the saturated rate; {EVENTS} events")


def installed(folder: Path, items: int) -> Subject:
    """Listings in the embedded engine, with a bundle of today's first build."""
    from benchmarks.catalogues import TENANT
    from benchmarks.installation import install
    from benchmarks.site import CARS
    from sidetower.indexing import fill_kind, first_generation

    made = install(folder, CARS, items=items, encoder="bootstrap")
    if made.parts.releases.get(made.kind.name) is None:
        first_generation(made.parts, made.kind, made.bundle.id)
        fill_kind(made.parts, made.kind, made.items, lambda *_: None)
    return existing(made.config, TENANT)


def existing(config: Path, tenant: str) -> Subject:
    """What an installation serves."""
    parts = Parts(load_config(config, {}))
    kind = next(iter(parts.config.kinds))
    held = parts.releases.get(kind)
    assert held is not None, "index the installation first"
    scope = Scope(tenant)
    ids: list[str] = []
    stored = parts.engine.scan(held.release.default.generation, limit=30_000)
    ids = [one.key.id for one in stored if one.key.tenant == tenant and one.vector is not None]
    assert parts.engine.search(held.release.default.generation, scope, Query()), f"tenant {tenant} has items"
    return Subject(config, tenant, kind, ids)


def throughput(subject: Subject, seconds: float) -> dict[str, Any]:
    """Start, memory, and as much as the service takes, beside what it is made of."""
    requests = rerank_requests(subject, 100, 1.0)
    with Server(subject, 100_000) as server:
        start = server.megabytes()
        saturated(server.port, requests, min(seconds, 3.0))
        health = saturated(server.port, [request_bytes("/healthz")], seconds)
        reranks = saturated(server.port, requests, seconds)
        full = server.megabytes()
        ready = server.start_seconds
    user, scorer = networks(subject)
    formula = SHARE_BAR / (1 / health.rate + user + scorer)
    bar = min(RATE_BAR, formula)
    met = reranks.rate >= bar and ready <= START_BARS[0] and start <= START_BARS[1] and not reranks.wrong
    return {
        "ready s": round(ready, 2),
        "RSS MB": round(start),
        "RSS MB after": round(full),
        "healthz/s": round(health.rate),
        "user tower us": round(1e6 * user),
        "scorer us": round(1e6 * scorer),
        "formula/s": round(formula),
        "rerank/s": round(reranks.rate),
        "wrong": reranks.wrong,
        "bar": f"{bar:.0f}/s, {START_BARS[0]:g} s, {START_BARS[1]:g} MB: {'met' if met else 'missed'}",
    }


def latencies(subject: Subject, hits: float, seconds: float) -> list[dict[str, Any]]:
    """One row for each number of candidates; ``hits`` of the vectors are kept."""
    rows = []
    with Server(subject, 100_000 if hits == 1.0 else FEW) as server:
        for size in SIZES:
            requests = rerank_requests(subject, size, hits)
            takes = saturated(server.port, requests, min(seconds, 3.0))
            found = paced(server.port, requests, seconds, takes.rate / 2)
            bar = BARS.get(size, 0.0) if hits == 1.0 else 0.0
            p99 = found.milliseconds(0.99)
            rows.append(
                {
                    "candidates": size,
                    "kept": f"{hits:.0%}",
                    "rate/s": round(takes.rate / 2),
                    "p50": found.milliseconds(0.5),
                    "p95": found.milliseconds(0.95),
                    "p99": p99,
                    "wrong": found.wrong,
                    "bar": f"{bar:g} ms: {'met' if p99 <= bar else 'missed'}" if bar else "",
                }
            )
    return rows


def rerank_requests(subject: Subject, size: int, hits: float, count: int = 200) -> list[bytes]:
    """Requests with ids, falling scores and a history; a share of the ids comes from few items, the rest in turn."""
    rng = random.Random(size)
    few = subject.ids[: max(size, FEW // 2)]
    cold = list(islice(_in_turn(subject.ids[len(few) :] or subject.ids), count * size))
    now = time.time()
    made = []
    for number in range(count):
        warm = rng.sample(few, round(hits * size))
        ids = [*warm, *cold[number * size : (number + 1) * size - len(warm)]]
        rng.shuffle(ids)
        history = [
            {"kind": subject.kind, "id": id_, "action": "click", "timestamp": now - 3600 * place}
            for place, id_ in enumerate(rng.sample(few, EVENTS))
        ]
        candidates = [{"id": id_, "score": round(20 - 0.01 * place, 2)} for place, id_ in enumerate(dict.fromkeys(ids))]
        body: dict[str, Any] = {
            "kind": subject.kind,
            "query": "red estate",
            "candidates": candidates,
            "history": history,
        }
        body |= {"deadline_ms": 5_000}
        made.append(request_bytes("/v1/rerank", json.dumps(body).encode(), subject.tenant))
    return made


def _in_turn(ids: Sequence[str]) -> Any:
    while True:
        yield from ids


def networks(subject: Subject) -> tuple[float, float]:
    """Seconds of one call of the user tower (50 events) and of the scorer (100 candidates), on the server's core."""
    parts = Parts(load_config(subject.config, {}))
    held = parts.releases.get(subject.kind)
    assert held is not None
    bundle = parts.bundle(held.release.default.bundle)
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((100, DIMENSIONS)).astype(np.float32))
    history = bundle.history(vectors[:EVENTS], ["click"] * EVENTS, [3600.0 * n for n in range(EVENTS)])
    user = bundle.user_tower.embed(history, vectors[0])
    signals = np.zeros((100, len(bundle.manifest.signals)), np.float32)
    with on_core(SERVER_CORE):
        return (
            _median(lambda: bundle.user_tower.embed(history, vectors[0])),
            _median(lambda: bundle.scorer.score(vectors[0], user, vectors, signals)),
        )


def _median(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(500):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


if __name__ == "__main__":
    main()
