"""The same search sent to a cluster and through the gateway before it, and whether the answers are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from domain.items import Item, ItemKey
from domain.search import Hit
from rerank_service.request import Answer, RerankRequest
from tests.support.search_bodies import MAPPING, Drawn, documents

WINDOW: Final = 200
#: Three windows, so that pages, totals and aggregations reach beyond one.
TOTAL: Final = 600
USER: Final = {"user": "u1", "deadline_ms": 10_000}
#: What each of two answers to one search has of its own.
_CHANGING: Final = ("took", "_scroll_id", "profile")


async def identity(request: RerankRequest) -> Answer:
    """Ranks every candidate where it stands, with the score that it came with."""
    item = Item(ItemKey(request.scope.tenant, request.kind, "-"), 0)
    hits = [Hit(item, one.score, rank, {}) for rank, one in enumerate(request.offered, 1)]
    return Answer(tuple(hits), ranked_by="identity")


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
    index: str

    def direct(self, drawn: Drawn) -> httpx.Response:
        """The cluster's own answer."""
        return self.cluster.post(f"/{self.index}/_search", params=drawn.url, json=drawn.body)

    def through(self, drawn: Drawn, **person: Any) -> httpx.Response:
        """The gateway's."""
        body = {**drawn.body, "ext": {**drawn.body.get("ext", {}), "sidetower": {**USER, **person}}}
        return self.gateway.post(f"/{self.index}/_search", params=drawn.url, json=body)


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
