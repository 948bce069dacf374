"""The gateway beside its cluster: the same answers but for the order, and what it adds to the cluster's time.

    python -m benchmarks.gateway_equivalence [SEARCHES]

Searches are drawn from a seed and sent both to a real OpenSearch and through the gateway. With a ranking that leaves
everything where it is, the answers have to be the same but for `took`; with weight 0.5, the same hits of the window and
everything beside them. The command fails when one differs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.report import publish
from rerank_service.gateway.cluster import Cluster, ClusterAnswer, Headers
from tests.service.rerank.world import World
from tests.support.gateway_equivalence import (
    Pair,
    before_identity,
    before_ranking,
    expected_outcome,
    make_host_index,
    same,
    same_but_for_the_order,
)
from tests.support.opensearch_node import running_node
from tests.support.search_bodies import Drawn, searches

SEARCHES: Final = 400
WARM_UP: Final = 50
INDEX: Final = "host"


class Timed:
    """A cluster that keeps how long each request took, to the last byte.

    Args:
        cluster: the real one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.seconds: list[float] = []

    @asynccontextmanager
    async def send(
        self, method: str, target: bytes, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[ClusterAnswer]:
        """As the real one."""
        began = time.perf_counter()
        async with self._cluster.send(method, target, headers, body) as answer:
            yield answer
        self.seconds.append(time.perf_counter() - began)

    async def close(self) -> None:
        """As the real one."""
        await self._cluster.close()


def compare_identity(cluster: httpx.Client, count: int) -> dict[str, Any]:
    """Searches with a ranking that leaves everything where it is."""
    became: Counter[str] = Counter()
    differing = 0
    with before_identity(cluster, INDEX) as pair:
        for drawn in searches(count):
            direct, through = pair.direct(drawn), pair.through(drawn)
            became[expected_outcome(drawn, direct, through)] += 1
            differing += _told(same(direct, through), drawn)
    return _row("identity", count, became, differing)


def compare_ranking(cluster: httpx.Client, world: World, count: int) -> dict[str, Any]:
    """Searches that can be ranked, with weight 0.5."""
    became: Counter[str] = Counter()
    differing = 0
    with before_ranking(cluster, INDEX, world) as pair:
        rankable = [drawn for drawn in searches(count) if not drawn.against]
        for drawn in rankable:
            difference, another_order = same_but_for_the_order(pair, drawn)
            became["ranked" if another_order else "engine"] += 1
            differing += _told(difference, drawn)
    return _row("weight 0.5", len(rankable), became, differing)


def _told(difference: str, drawn: Drawn) -> bool:
    if difference:
        print(f"DIFFERS at {difference}\n  {drawn}")
    return bool(difference)


def _row(ranking: str, count: int, became: Counter[str], differing: int) -> dict[str, Any]:
    counts = {name: became[name] for name in ("ranked", "engine", "passed", "error")}
    return {"ranking": ranking, "searches": count, **counts, "differing": differing}


def added_time(cluster: httpx.Client, world: World, count: int) -> list[dict[str, Any]]:
    """Milliseconds of ranked searches for ten hits, one after the other, without those of their two engine calls."""
    body: dict[str, Any] = {"query": {"match": {"title": "red estate diesel"}}, "highlight": {"fields": {"title": {}}}}
    drawn = Drawn(body)
    rows = []
    timed: list[Timed] = []

    def behind(host: Cluster) -> Cluster:
        timed.append(Timed(host))
        return timed[-1]

    for name, before in (
        ("the gateway alone", before_identity(cluster, INDEX, behind=behind)),
        ("with 200 candidates ranked", before_ranking(cluster, INDEX, world, behind=behind)),
    ):
        with before as pair:
            totals, calls = _times(pair, timed[-1], drawn, WARM_UP + count)
        added = [total - call for total, call in zip(totals, calls, strict=True)]
        rows += [
            _percentiles(f"{name}: in all", totals[WARM_UP:]),
            _percentiles(f"{name}: its two engine calls", calls[WARM_UP:]),
            _percentiles(f"{name}: added", added[WARM_UP:]),
        ]
    direct = []
    for _ in range(WARM_UP + count):
        began = time.perf_counter()
        cluster.post(f"/{INDEX}/_search", json=drawn.body)
        direct.append(time.perf_counter() - began)
    return [_percentiles("the same search at the cluster", direct[WARM_UP:]), *rows]


def _times(pair: Pair, timed: Timed, drawn: Drawn, count: int) -> tuple[list[float], list[float]]:
    totals, calls = [], []
    for _ in range(count):
        timed.seconds.clear()
        began = time.perf_counter()
        answer = pair.through(drawn, weight=0.5)
        totals.append(time.perf_counter() - began)
        assert answer.headers["x-sidetower-rank-id"]
        assert len(timed.seconds) == 2
        calls.append(sum(timed.seconds))
    return totals, calls


def _percentiles(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"milliseconds": name, "p50": 1000 * cuts[49], "p95": 1000 * cuts[94], "p99": 1000 * cuts[98]}


def main(count: int) -> int:
    """Compare and measure; 1 when something differs."""
    with tempfile.TemporaryDirectory() as folder, running_node(Path(folder, "node"), fast=False) as node:
        world = World(Path(folder))
        with httpx.Client(base_url=node.url, timeout=60, trust_env=False) as cluster:
            make_host_index(cluster, INDEX)
            rows = [compare_identity(cluster, count), compare_ranking(cluster, world, count // 2)]
            times = added_time(cluster, world, count)
    note = "Searches drawn from a seed, 600 documents on three shards, windows of 200. differing: has to be 0."
    publish("gateway_equivalence", rows, note)
    note = "One caller, pages of ten with highlights, everything in two processes on this machine."
    publish("gateway_latency", times, note)
    return int(any(row["differing"] for row in rows))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SEARCHES))
