"""A caller of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from plugin.host_cluster import HostCluster
from rerank_service.gateway.targets import Target
from rerank_service.parts import GatewayParts
from tests.service.gateway.stand_in import Answered, Sent, found
from tests.service.rerank.world import World, seen
from tests.support.served_app import served_app

#: Documents of the host, as its engine scores them. The north holds all but one; the south another under an equal id.
SCORES: Final = {"n5": 4.0, "n4": 3.0, "shared": 2.5, "nowhere": 2.25, "n3": 2.0, "n2": 1.0, "n1": 0.5}
TARGETS: Final = {
    "cars": Target("listing", "north"),
    "few": Target("listing", "north", window=4),
    "fields": Target("listing", "north", "listing.id"),
    "any": Target("listing"),
}
QUERY: Final[dict[str, Any]] = {"match": {"title": "red estate"}}


def cars(sent: Sent) -> Answered:
    """What the host's cluster says: those documents, to every search."""
    return found(sent, SCORES) if sent.body else Answered()


@dataclass(frozen=True)
class Asking:
    """Sends searches of one person."""

    #: The service's root.
    http: httpx.Client

    def search(self, index: str = "cars", /, person: Any = None, headers: Any = None, **body: Any) -> httpx.Response:
        """The answer to a search that says who asks, however slow the machine; by default who looked at n1."""
        asks = {"user": "u1", "history": seen("n1"), "deadline_ms": 10_000} if person is None else person
        asked = {"query": QUERY, **body}
        asked["ext"] = {**asked.get("ext", {}), "sidetower": asks}
        return self.http.post(f"/gateway/{index}/_search", json=asked, headers=headers)

    def reranked(self, *ids: str, **more: Any) -> dict[str, float]:
        """Ids and scores as `POST /v1/rerank` ranks these documents of the host."""
        candidates = [{"id": id_, "score": SCORES[id_]} for id_ in ids or SCORES]
        body = {"kind": "listing", "query": "red estate", "history": seen("n1"), "deadline_ms": 10_000, **more}
        headers = {"X-Sidetower-Tenant": "north"}
        answer = self.http.post("/v1/rerank", json={**body, "candidates": candidates}, headers=headers)
        assert answer.json()["ranked_by"] == "toy-1", answer.text
        return {one["id"]: one["score"] for one in answer.json()["results"]}


@contextmanager
def gateway_before(address: str, world: World, silence: float = 30.0, **changed: Any) -> Iterator[Asking]:
    """The gateway of a service over this world, some of its parts replaced, before the cluster at this address."""
    parts = GatewayParts(HostCluster(address, silence), TARGETS)
    with (
        served_app(world.app(gateway=parts, **changed)) as served,
        httpx.Client(base_url=served, timeout=30, trust_env=False) as http,
    ):
        yield Asking(http)


def ids(answer: httpx.Response) -> list[str]:
    """Ids of the hits, in order."""
    return [hit["_id"] for hit in answer.json()["hits"]["hits"]]


def outcome(answer: httpx.Response) -> dict[str, str]:
    """What the headers say became of the search."""
    told = {name.removeprefix("x-sidetower-"): value for name, value in answer.headers.items()}
    return {name: told[name] for name in ("passed", "ranked-by", "degraded") if name in told}
