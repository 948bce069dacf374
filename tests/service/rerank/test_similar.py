"""GET and POST /v1/similar/{kind}/{id}."""

from __future__ import annotations

import pytest

from domain.search import Query, QueryVector, Scope
from tests.service.rerank.world import LISTING, World, ids, listing
from tests.support.service_client import ServiceClient


def test_the_nearest_items_come_first_without_the_item_itself(world: World, north: ServiceClient) -> None:
    seed = world.engine.lookup("listing-g1", Scope("north"), ["n1"])["n1"]
    assert seed.vector is not None
    query = Query(vector=QueryVector(seed.vector, "toy"), exclude=("n1",), limit=10)
    expected = [(one.key.id, one.score) for one in world.engine.search("listing-g1", Scope("north"), query)]
    answer = north.ask("GET", "/v1/similar/listing/n1").json()
    assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == expected
    assert ids(answer)[0] == "n2"
    assert answer["ranked_by"] == "engine"
    assert answer["degraded"] is None


def test_limit_and_filters(north: ServiceClient) -> None:
    assert len(ids(north.ask("GET", "/v1/similar/listing/n1?limit=2").json())) == 2
    body = {"filters": [{"term": {"make": "mg"}}], "limit": 100}
    assert set(ids(north.ask("POST", "/v1/similar/listing/n1", json=body).json())) == {"n3", "n4"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_item_that_is_not_there_is_not_found(north: ServiceClient, method: str) -> None:
    answer = north.ask(method, "/v1/similar/listing/nowhere", json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_removed_item_is_not_found(world: World, north: ServiceClient) -> None:
    assert north.ask("DELETE", "/v1/items/listing/n1?revision=2").status_code == 200
    assert north.ask("GET", "/v1/similar/listing/n1").status_code == 404


def test_an_item_without_vector_and_title_has_nothing_like_it(world: World, north: ServiceClient) -> None:
    world.tell("north", LISTING, listing("bare", ""), embed=False)
    answer = north.ask("GET", "/v1/similar/listing/bare").json()
    assert (answer["hits"], answer["degraded"]) == ([], "seed_pending")
