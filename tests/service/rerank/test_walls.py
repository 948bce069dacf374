"""Promise 8: no request sees another tenant's items or an item outside its audience, on any route."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.service.rerank.faults import SlowEncoder
from tests.service.rerank.world import LISTING, World, ids, listing, seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle


@pytest.fixture
def south(world: World) -> ServiceClient:
    """The service, asked as the other tenant."""
    return ServiceClient(world.app(), "south")


def test_equal_ids_of_two_tenants_never_meet(north: ServiceClient, south: ServiceClient) -> None:
    titles = {}
    for name, client in (("north", north), ("south", south)):
        answer = client.search(query="red", limit=100)
        titles[name] = {hit["id"]: hit["fields"]["title"] for hit in answer["hits"]}
    assert titles["north"]["shared"] == "red cabriolet"
    assert titles["south"] == {"shared": "red lorry of the south", "s1": "red tractor of the south"}
    assert "s1" not in titles["north"]


@pytest.mark.parametrize(
    "filters",
    [
        [{"not": {"exists": "price"}}],
        [{"not": {"term": {"make": "nobody"}}}],
        [{"not": {"not": {"term": {"make": "man"}}}}],
        [{"terms": {"make": ["man", "deutz", "audi", "*"]}}],
        [{"term": {"make": 'x" OR tenant:"south'}}],
        [{"term": {"make": "x') OR 1=1 --"}}],
        [],
    ],
)
def test_no_filter_breaks_out(north: ServiceClient, filters: list[dict[str, Any]]) -> None:
    for query in ("", "red tractor of the south auction"):
        found = set(ids(north.search(query=query, filters=filters, limit=100)))
        assert found <= {"n1", "n2", "n3", "n4", "n5", "shared"}


@pytest.mark.parametrize("field", ["tenant", "audience", "visible_to", "filter.make", "_id"])
def test_fields_of_the_wall_cannot_be_filtered_by(north: ServiceClient, field: str) -> None:
    body = {"kind": "listing", "filters": [{"not": {"term": {field: "north"}}}]}
    assert north.ask("POST", "/v1/search", json=body).status_code == 422


def test_foreign_ids_in_the_history_are_as_unknown_ones(north: ServiceClient) -> None:
    foreign = north.search(query="red", history=seen("s1"))
    unknown = north.search(query="red", history=seen("nowhere"))
    nobody = north.search(query="red")
    assert foreign["history_used"] == unknown["history_used"] == 0
    assert foreign["hits"] == unknown["hits"] == nobody["hits"]


def test_history_of_a_shared_id_is_ones_own_item(north: ServiceClient, south: ServiceClient) -> None:
    assert ids(north.search(history=seen("shared")))[0] == "shared"
    found = south.search(history=seen("shared"))
    assert found["hits"][0]["fields"]["title"] == "red lorry of the south"


def test_items_outside_the_audience_are_not_there(north: ServiceClient) -> None:
    for audiences in ([], ["staff"], ["*"], ["dealer"]):
        assert "dealer" not in ids(north.search(query="auction lot", audiences=audiences, limit=100))
        assert north.search(history=seen("dealer"), audiences=audiences)["history_used"] == 0
        path = "/v1/similar/listing/dealer"
        assert north.ask("GET", path, params={"audiences": audiences}).status_code == 404
        assert north.ask("POST", path, json={"audiences": audiences}).status_code == 404
    assert ids(north.search(query="auction lot", audiences=["staff", "dealers"]))[0] == "dealer"
    assert north.search(history=seen("dealer"), audiences=["dealers"])["history_used"] == 1
    assert north.ask("GET", "/v1/similar/listing/dealer?audiences=dealers").status_code == 200


def test_similar_items_stay_within_tenant_and_audience(north: ServiceClient, south: ServiceClient) -> None:
    assert north.ask("GET", "/v1/similar/listing/s1").status_code == 404
    assert south.ask("GET", "/v1/similar/listing/n1").status_code == 404
    answer = north.ask("GET", "/v1/similar/listing/shared?limit=100").json()
    assert set(ids(answer)) == {"n1", "n2", "n3", "n4", "n5"}
    dealers = north.ask("GET", "/v1/similar/listing/shared?limit=100&audiences=dealers").json()
    assert set(ids(dealers)) == {"n1", "n2", "n3", "n4", "n5", "dealer"}


def test_changes_reach_ones_own_tenant_only(world: World, north: ServiceClient, south: ServiceClient) -> None:
    document = {"title": "red lorry taken over", "version": 9, "visible_to": ["*"]}
    assert north.ask("PUT", "/v1/items/listing/shared", json=document).json()["outcome"] == "written"
    assert south.ask("DELETE", "/v1/items/listing/n1?revision=9").json()["outcome"] == "written"
    world.engine.refresh("listing-g1")
    assert "red lorry of the south" in [hit["fields"]["title"] for hit in south.search(query="lorry")["hits"]]
    assert "n1" in ids(north.search(query="estate"))


@pytest.mark.parametrize("header", [None, "", "\u00e4" * 33, "north\tsouth"])
def test_a_request_without_a_proper_tenant_is_refused(world: World, header: str | None) -> None:
    client = ServiceClient(world.app(), None)
    headers = {} if header is None else {b"X-Sidetower-Tenant": header.encode()}
    for method, path, body in (
        ("POST", "/v1/search", {"kind": "listing"}),
        ("GET", "/v1/similar/listing/n1", None),
        ("POST", "/v1/similar/listing/n1", {}),
        ("POST", "/v1/recommend", {"kind": "listing"}),
        ("POST", "/v1/suggest", {"kind": "listing", "text": "red"}),
        ("POST", "/v1/rerank", {"kind": "listing", "candidates": [{"id": "n1"}]}),
        ("POST", "/v1/rerank", {"kind": "listing", "query": "red", "documents": ["red"], "item_ids": ["n1"]}),
        ("POST", "/v1/items/bulk", {"op": "delete", "kind": "listing", "id": "n1", "revision": 9}),
        ("PUT", "/v1/items/listing/n1", {"title": "x", "version": 1, "visible_to": ["*"]}),
        ("DELETE", "/v1/items/listing/n1?revision=9", None),
    ):
        answer = client.ask(method, path, json=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["error"]["place"] == "header X-Sidetower-Tenant"


def test_two_tenant_headers_are_refused(world: World) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(world.app())
        headers = [("X-Sidetower-Tenant", "north"), ("X-Sidetower-Tenant", "south")]
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post("/v1/search", json={"kind": "listing"}, headers=headers)

    answer = asyncio.run(ask())
    assert answer.status_code == 422
    assert answer.json()["error"]["got"] == "2 of them"


def test_a_tenant_in_unicode_is_one_tenant(world: World) -> None:
    munich = ServiceClient(world.app(), None)
    headers = {b"X-Sidetower-Tenant": "münchen".encode()}
    document = {"title": "weißwurst", "version": 1, "visible_to": ["*"]}
    assert munich.ask("PUT", "/v1/items/listing/1", json=document, headers=headers).status_code == 200
    world.embed_all()
    answer = munich.ask("POST", "/v1/search", json={"kind": "listing"}, headers=headers).json()
    assert [hit["fields"]["title"] for hit in answer["hits"]] == ["weißwurst"]


def test_a_document_that_names_another_tenant_is_refused(world: World) -> None:
    told = replace(LISTING, tenant="shop")
    client = ServiceClient(world.app(kinds={"listing": told}), "north")
    document = {"title": "x", "version": 1, "visible_to": ["*"], "shop": "south"}
    answer = client.ask("PUT", "/v1/items/listing/n1", json=document)
    assert answer.status_code == 422
    assert answer.json()["error"]["place"] == "field shop"


def reranked(client: ServiceClient, *ids_: str, **asked: Any) -> list[dict[str, Any]]:
    """The results of candidates between which the engine makes no difference, ids left out."""
    answer = client.rerank(*({"id": id_, "score": 1.0} for id_ in ids_), explain=True, **asked)
    assert "red tractor" not in str(answer)
    return [{name: value for name, value in one.items() if name != "id"} for one in answer["results"]]


@pytest.mark.parametrize("hidden", ["s1", "dealer", "removed", "pending", "x" * 401, "*", "-"])
@pytest.mark.parametrize("asked", [{"query": "red tractor of the south auction lot"}, {"history": seen("n4", "s1")}])
def test_a_candidate_that_is_hidden_is_as_one_that_is_nowhere(
    world: World, north: ServiceClient, hidden: str, asked: dict[str, Any]
) -> None:
    world.tell("north", LISTING, listing("removed", "red tractor"))
    assert north.ask("DELETE", "/v1/items/listing/removed?revision=2").status_code == 200
    world.tell("north", LISTING, listing("pending", "red tractor"), embed=False)
    for place in range(3):
        offered = ["n5", "n1"]
        offered.insert(place, hidden)
        unknown = ["nowhere" if id_ == hidden else id_ for id_ in offered]
        assert reranked(north, *offered, **asked) == reranked(north, *unknown, **asked)
    alone = north.rerank(hidden, **asked, explain=True)
    assert alone["degraded"] == "no_vectors"


def test_a_candidate_of_a_shared_id_is_ones_own_item(north: ServiceClient, south: ServiceClient) -> None:
    asked: dict[str, Any] = {"query": "lorry of the south"}
    assert reranked(north, "shared", **asked)[0]["parts"]["relevance"] < 0.5
    assert reranked(south, "shared", **asked)[0]["parts"]["relevance"] > 0.5


def test_candidates_outside_the_audience_are_not_read(north: ServiceClient) -> None:
    for audiences in ([], ["staff"], ["*"], ["dealer"]):
        parts = reranked(north, "n1", "dealer", query="auction lot", audiences=audiences)[1]["parts"]
        assert set(parts) == {"engine"}
    inside = reranked(north, "n1", "dealer", query="auction lot", audiences=["dealers"])
    assert all("relevance" in one["parts"] for one in inside)


def test_bulk_changes_reach_ones_own_tenant_only(world: World, north: ServiceClient, south: ServiceClient) -> None:
    document = {"title": "red lorry taken over", "version": 9, "visible_to": ["*"], "listing_id": "shared"}
    north.bulk({"op": "put", "kind": "listing", "document": document})
    south.bulk({"op": "delete", "kind": "listing", "id": "n1", "revision": 9})
    world.engine.refresh("listing-g1")
    assert "red lorry of the south" in [hit["fields"]["title"] for hit in south.search(query="lorry")["hits"]]
    assert "n1" in ids(north.search(query="estate"))


def test_a_bulk_line_that_names_another_tenant_is_refused(world: World) -> None:
    told = replace(LISTING, tenant="shop")
    client = ServiceClient(world.app(kinds={"listing": told}), "north")
    document = {"listing_id": "n1", "title": "x", "version": 1, "visible_to": ["*"], "shop": "south"}
    (answer,) = client.bulk({"op": "put", "kind": "listing", "document": document})
    assert (answer["outcome"], answer["error"]["place"]) == ("invalid", "field shop")


def test_texts_kept_for_one_tenant_are_embedded_again_for_another(world: World) -> None:
    counting = SlowEncoder()
    world.bundles["toy-1"] = ToyBundle(encoder=counting)
    app = world.app()
    for tenant in ("north", "south", None, "north"):
        ServiceClient(app, tenant).rerank_documents("red", ["a secret text"])
    assert counting.read.count("a secret text") == 3
