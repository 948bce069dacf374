"""The same search sent to a cluster and through the gateway before it, and whether the answers are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from plugin.host_cluster import HostCluster
from rerank_service.degraded import Tally
from rerank_service.gateway.cluster import Cluster
from rerank_service.gateway.door import Gateway
from rerank_service.gateway.ranked import RankedSearches
from rerank_service.gateway.targets import Target
from rerank_service.parts import GatewayParts
from rerank_service.ranking import in_engine_order
from rerank_service.request import RerankRequest
from rerank_service.reranks import Reranked
from tests.service.rerank.world import KINDS, LISTING, World
from tests.support.search_bodies import MAPPING, Drawn, documents
from tests.support.served_app import served_app

WINDOW: Final = 200
#: Three windows, so that pages, totals and aggregations reach beyond one.
TOTAL: Final = 600
#: A moment that stays in the future, in seconds since 1970.
_NEVER: Final = 9e10
#: Somebody whose events grow no older from one search to the next.
_ASKS: Final = {
    "user": "u1",
    "history": [
        {"kind": "listing", "id": id_, "action": "view", "timestamp": _NEVER} for id_ in ("car/1", "car/2", "car/3")
    ],
    "deadline_ms": 10_000,
}
#: What each of two answers to one search has of its own.
_CHANGING: Final = ("took", "_scroll_id", "profile")


async def identity(request: RerankRequest) -> Reranked:
    """Ranks every candidate where it stands, with the score that it came with."""
    ids, scores = [one.id for one in request.offered], [one.score for one in request.offered]
    return Reranked(in_engine_order(ids, scores), ranked_by="identity")


def make_host_index(client: httpx.Client, name: str, rows: Sequence[dict[str, Any]] | None = None) -> None:
    """An index of the host over three shards, every document under its `listing_id`."""
    settings = {"index": {"number_of_shards": 3, "number_of_replicas": 0}}
    made = client.put(f"/{name}", json={"settings": settings, "mappings": {"properties": MAPPING}})
    assert made.status_code == 200, made.text
    lines: list[dict[str, Any]] = []
    for row in documents(TOTAL) if rows is None else rows:
        kept = {key: value for key, value in row.items() if key not in ("version", "visible_to")}
        lines += [{"index": {"_id": row["listing_id"]}}, kept]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    told = client.post(
        f"/{name}/_bulk?refresh=true", content=content, headers={"Content-Type": "application/x-ndjson"}, timeout=60
    )
    assert not told.json()["errors"], told.text[:2_000]


@dataclass(frozen=True)
class Pair:
    """A cluster, and a gateway before it."""

    cluster: httpx.Client
    #: Its base address ends in ``/gateway``.
    gateway: httpx.Client
    #: Of the host; every document is an item of the tenant north, if it is one.
    index: str

    def direct(self, drawn: Drawn) -> httpx.Response:
        """The cluster's own answer."""
        return self.cluster.post(f"/{self.index}/_search", params=drawn.url, json=drawn.body)

    def through(self, drawn: Drawn, **person: Any) -> httpx.Response:
        """The gateway's."""
        body = {**drawn.body, "ext": {**drawn.body.get("ext", {}), "sidetower": {**_ASKS, **person}}}
        return self.gateway.post(f"/{self.index}/_search", params=drawn.url, json=body)


def _as_it_is(cluster: Cluster) -> Cluster:
    return cluster


@contextmanager
def before_identity(
    cluster: httpx.Client, index: str, behind: Callable[[Cluster], Cluster] = _as_it_is
) -> Iterator[Pair]:
    """A gateway whose ranking leaves everything where it is.

    Args:
        cluster: the host's.
        index: of the host.
        behind: what the gateway sees of the cluster.
    """
    host = behind(HostCluster(str(cluster.base_url)))
    ranked = RankedSearches(host, {index: Target("listing", "north", window=WINDOW)}, KINDS, identity)
    with served_pair(cluster, Gateway(FastAPI(), host, ranked, Tally()), index) as pair:
        yield pair


@contextmanager
def before_ranking(
    cluster: httpx.Client, index: str, world: World, behind: Callable[[Cluster], Cluster] = _as_it_is
) -> Iterator[Pair]:
    """The gateway of a service that holds the documents as items and ranks them; arguments as `before_identity`."""
    world.tell("north", LISTING, *({**row, "extras": None} for row in documents(TOTAL)))
    targets = {index: Target("listing", "north", window=WINDOW)}
    app = world.app(gateway=GatewayParts(behind(HostCluster(str(cluster.base_url))), targets))
    with served_pair(cluster, app, index) as pair:
        yield pair


@contextmanager
def served_pair(cluster: httpx.Client, app: ASGIApp, index: str) -> Iterator[Pair]:
    """The cluster, and this application before it."""
    with (
        served_app(app) as address,
        httpx.Client(base_url=f"{address}/gateway", timeout=60, trust_env=False) as gateway,
    ):
        yield Pair(cluster, gateway, index)


def expected_outcome(drawn: Drawn, direct: httpx.Response, through: httpx.Response) -> str:
    """What became of a search, which is what should have: ``ranked``, ``engine``, ``passed`` or ``error``."""
    told = {name: through.headers.get(f"x-sidetower-{name}") for name in ("passed", "degraded", "ranked-by")}
    if direct.status_code != 200:
        assert set(told.values()) == {None}, (drawn, told)
        return "error"
    if drawn.against:
        assert told == {"passed": drawn.against, "degraded": None, "ranked-by": None}, (drawn, told)
        return "passed"
    # Only a page without hits has nothing to be ranked.
    by = "identity" if direct.json()["hits"]["hits"] else "engine"
    assert told == {"passed": None, "degraded": None, "ranked-by": by}, (drawn, told)
    return "ranked" if by == "identity" else by


def same_but_for_the_order(pair: Pair, drawn: Drawn) -> tuple[str, bool]:
    """What differs, beside order and scores, between a search at the cluster and the same ranked; and whether the order
    does.

    The whole window is compared as a set, hit by hit, and the page with its slice of the ranked window.
    """
    whole = Drawn({**drawn.body, "from": 0, "size": WINDOW}, {**drawn.url, "from": "0", "size": str(WINDOW)})
    direct, ranked, page = pair.direct(whole), pair.through(whole, weight=0.5), pair.through(drawn, weight=0.5)
    if direct.status_code != 200 or not direct.json()["hits"]["hits"]:
        return same(direct, ranked), False
    assert ranked.headers["x-sidetower-ranked-by"] == "toy-1", dict(ranked.headers)
    there, here = timeless(direct.json()), timeless(ranked.json(), ours=True)
    different = difference(scoreless(there), scoreless(here))
    start = int(drawn.url.get("from", drawn.body.get("from", 0)))
    size = int(drawn.url.get("size", drawn.body.get("size", 10)))
    shown = timeless(page.json(), ours="x-sidetower-rank-id" in page.headers)["hits"]["hits"]
    different = different or difference(here["hits"]["hits"][start : start + size], shown, "page")
    order = [[hit["_id"] for hit in answer["hits"]["hits"]] for answer in (there, here)]
    return different, order[0] != order[1]


def same(direct: httpx.Response, through: httpx.Response) -> str:
    """What differs between two answers that are to be the same but for time; empty when nothing does."""
    if direct.status_code != through.status_code:
        return f"status {direct.status_code} and {through.status_code}: {through.text[:300]}"
    ours = "x-sidetower-rank-id" in through.headers
    one, two = timeless(direct.json()), timeless(through.json(), ours=ours)
    if not ours and list(one) != list(two):
        return "the order of keys"
    return difference(one, two)


def timeless(answer: dict[str, Any], *, ours: bool = False) -> dict[str, Any]:
    """The answer without what changes from call to call and, with `ours`, without what the gateway adds."""
    kept = {name: value for name, value in answer.items() if name not in _CHANGING}
    if ours:
        kept["ext"] = {name: value for name, value in kept["ext"].items() if name != "sidetower"}
        if not kept["ext"]:
            del kept["ext"]
        for hit in kept["hits"]["hits"]:
            del hit["_sidetower"]
    return kept


def scoreless(answer: dict[str, Any]) -> dict[str, Any]:
    """A timeless answer without the scores of its hits, which then stand in the order of their ids."""
    hits = {name: value for name, value in answer["hits"].items() if name != "max_score"}
    hits["hits"] = [{name: value for name, value in hit.items() if name != "_score"} for hit in hits["hits"]]
    hits["hits"].sort(key=lambda hit: hit["_id"])
    return {**answer, "hits": hits}


def difference(one: Any, two: Any, place: str = "") -> str:
    """Where two JSON values differ, types included; empty where they do not."""
    if type(one) is not type(two):
        return f"{place}: {one!r:.200} and {two!r:.200}"
    if isinstance(one, dict):
        if set(one) != set(two):
            return f"{place}: keys {sorted(set(one) ^ set(two))}"
        return next((found for name in one if (found := difference(one[name], two[name], f"{place}.{name}"))), "")
    if isinstance(one, list):
        if len(one) != len(two):
            return f"{place}: {len(one)} and {len(two)}"
        pairs = enumerate(zip(one, two, strict=True))
        return next((found for at, (a, b) in pairs if (found := difference(a, b, f"{place}[{at}]"))), "")
    return "" if one == two else f"{place}: {one!r:.200} and {two!r:.200}"
