"""Fixtures that name their precondition: a host's index on a real OpenSearch, and a real service."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opensearchpy import OpenSearch

import sidetower_client
from sidetower_client import RerankingOpenSearch
from tests.client.served import cars
from tests.service.rerank.served_process import served_world

MAPPING = {
    "title": {"type": "text"},
    "make": {"type": "keyword"},
    "price": {"type": "double"},
    "extras": {"type": "nested", "properties": {"name": {"type": "keyword"}}},
}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the service over the catalogue."""
    with served_world(tmp_path_factory.mktemp("client"), "tests.client.served:serve") as served:
        yield served.address


@pytest.fixture(scope="session")
def plain(opensearch_url: str) -> Iterator[OpenSearch]:
    """The host's own client."""
    with OpenSearch([opensearch_url], timeout=30, max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def index(plain: OpenSearch) -> Iterator[str]:
    """The host's own index of the catalogue."""
    name = f"cars-{uuid.uuid4().hex[:8]}"
    make_index(plain, name, cars())
    yield name
    plain.indices.delete(index=name)


@pytest.fixture
def client(plain: OpenSearch, service: str) -> RerankingOpenSearch:
    """The host's client, wrapped; however slow the machine, the deadline is kept."""
    return sidetower_client.wrap(plain, url=service, tenant="north", kind="listing", deadline_ms=10_000)


def make_index(client: Any, name: str, documents: list[dict[str, Any]], **settings: Any) -> None:
    """An index with these documents, under the listing's id unless they name an `_id`."""
    told = {"number_of_shards": 1, "number_of_replicas": 0, **settings}
    client.indices.create(index=name, body={"settings": {"index": told}, "mappings": {"properties": MAPPING}})
    lines: list[dict[str, Any]] = []
    for number, one in enumerate(documents):
        kept = {key: one[key] for key in ("listing_id", "title", "make", "price")}
        extras = [{"name": name} for name in ("radio", "towbar")[: number % 3]]
        lines += [{"index": {"_id": one.get("_id", one["listing_id"])}}, {**kept, "extras": extras}]
    assert not client.bulk(index=name, body=lines, refresh=True)["errors"]


def reranked(service: str, hits: list[dict[str, Any]], **asked: Any) -> list[tuple[str, float]]:
    """Ids and scores as the service itself ranks these hits."""
    candidates = [{"id": hit["_id"], "score": hit["_score"]} for hit in hits]
    body = {"kind": "listing", "deadline_ms": 10_000, "candidates": candidates, **asked}
    headers = {"X-Sidetower-Tenant": "north"}
    answer = httpx.post(f"{service}/v1/rerank", json=body, headers=headers, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["ranked_by"] == "toy-1"
    return [(one["id"], one["score"]) for one in answer.json()["results"]]


def ids(answer: dict[str, Any]) -> list[str]:
    """Ids of the hits, in order."""
    return [hit["_id"] for hit in answer["hits"]["hits"]]
