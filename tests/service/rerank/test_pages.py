"""Pages: slices of one ranking whatever the person does in between, then the engine's order; tokens nobody can bend."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.items import ItemKey, Removal
from rerank_service.request import WINDOW
from tests.service.rerank.world import LISTING, World, ids, listing, seen
from tests.support.service_client import ServiceClient

MANY = WINDOW + 40
SECRET = b"a secret of the tests"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> World:
    """More items than are ranked."""
    folder: Path = tmp_path_factory.mktemp("large")
    world = World(folder)
    words = ["red", "blue", "estate", "van", "diesel", "petrol", "old", "new"]
    rng = random.Random(3)
    documents = [listing(f"i{n:03}", " ".join(["car", *rng.sample(words, 3)])) for n in range(MANY)]
    world.tell("north", LISTING, *documents)
    return world


def page(client: ServiceClient, token: str | None, offset: int, limit: int, **more: Any) -> dict[str, Any]:
    token_of = {"page_token": token} if token else {}
    return client.search(query="red car", offset=offset, limit=limit, **token_of, **more)


@settings(deadline=None, max_examples=4)
@given(sizes=st.lists(st.integers(1, 100), min_size=3, max_size=8), clicked=st.lists(st.integers(0, MANY - 1)))
def test_pages_together_are_the_ranking_and_then_the_engines_order(
    large: World, sizes: list[int], clicked: list[int]
) -> None:
    client = ServiceClient(large.app())
    history = seen("i001", "i002")
    first = page(client, None, 0, sizes[0], history=history)
    # The whole ranking, as it was at the first page.
    ranked = ids(page(client, first["page_token"], 0, 100)) + ids(page(client, first["page_token"], 100, 100))
    whole = ids(page(client, None, 0, 100, history=history)) + ids(page(client, None, 100, 100, history=history))
    assert ranked == whole
    assert len(set(ranked)) == WINDOW
    token, told = first["page_token"], ids(first)
    while len(told) < MANY:
        # The person clicks before each page.
        history += seen(f"i{clicked[len(told) % len(clicked)]:03}") if clicked else []
        size = sizes[len(told) % len(sizes)]
        found = page(client, token, len(told), size, history=history)
        assert found["page_token"] == token
        assert found["ranked_by"] == first["ranked_by"]
        told += ids(found)
    assert told[:WINDOW] == ranked
    query = ServiceClient(large.app()).search
    engine = [hit["id"] for hit in query(query="red car", weight=0, limit=100)["hits"]]
    assert len(set(told)) == len(told) == MANY
    assert set(told[WINDOW:]).isdisjoint(ranked)
    assert set(engine) <= set(told)


def test_scores_and_ranks_are_those_of_the_first_page(large: World) -> None:
    client = ServiceClient(large.app())
    first = page(client, None, 0, 50, history=seen("i001"))
    again = page(client, first["page_token"], 0, 50)
    assert again["hits"] == first["hits"]
    assert again["history_used"] == first["history_used"] == 1


def test_a_short_answer_needs_no_token_and_a_hidden_item_never_comes_back(large: World, north: ServiceClient) -> None:
    assert north.search(query="red", limit=100)["page_token"] is None
    assert north.search(query="red", limit=2)["page_token"]
    client = ServiceClient(large.app())
    hides = [f"i{number:03}" for number in range(0, MANY, 3)]
    token: str | None = None
    told: list[str] = []
    for _ in range(5):
        found = page(client, token, len(told), 100, hides=hides)
        token, told = found["page_token"], told + ids(found)
    assert sorted(told) == sorted({f"i{number:03}" for number in range(MANY)} - set(hides))


def test_an_item_that_was_removed_or_hidden_from_the_person_is_left_out(world: World, north: ServiceClient) -> None:
    asked: dict[str, Any] = {"query": "red", "audiences": ["dealers"]}
    first = north.search(**asked, limit=1)
    rest = ids(north.search(**asked, limit=100))
    world.apply([Removal(ItemKey("north", "listing", rest[-1]), 9)])
    found = north.search(**asked, page_token=first["page_token"], offset=0, limit=100)
    assert ids(found) == rest[:-1]


@pytest.mark.parametrize("secret", [SECRET, b"another secret of the tests"])
def test_processes_that_share_a_secret_read_each_others_tokens(world: World, secret: bytes) -> None:
    token = ServiceClient(world.app(page_secret=SECRET)).search(query="red", limit=1)["page_token"]
    other = ServiceClient(world.app(page_secret=secret))
    answer = other.ask("POST", "/v1/search", json={"kind": "listing", "query": "red", "page_token": token})
    assert answer.status_code == (200 if secret == SECRET else 422)


def refused(client: ServiceClient, **body: Any) -> None:
    answer = client.ask("POST", "/v1/search", json={"kind": "listing", "query": "red", **body})
    assert (answer.status_code, answer.json()["error"]["place"]) == (422, "body.page_token")
    assert set(answer.json()["error"]) == {"code", "place", "expected", "got", "fix"}


def test_a_token_is_good_for_its_own_search_and_tenant_only(world: World) -> None:
    app = world.app()
    north, south = ServiceClient(app, "north"), ServiceClient(app, "south")
    token = north.search(query="red", limit=1)["page_token"]
    refused(south, page_token=token)
    refused(north, page_token=token, query="blue")
    refused(north, page_token=token, filters=[{"exists": "price"}])
    refused(north, page_token=token, audiences=["dealers"])
    refused(north, page_token=token, kind="article")
    assert north.search(query="red", page_token=token)["hits"]


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
@settings(deadline=None, max_examples=15)
def test_a_bent_token_is_refused(large: World, place: int, change: int) -> None:
    client = ServiceClient(large.app(page_secret=SECRET))
    token = client.search(query="red", limit=1)["page_token"]
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[place % len(raw)] ^= change
    refused(client, page_token=base64.urlsafe_b64encode(bytes(raw)).decode())


@pytest.mark.parametrize("token", ["x", "====", "ä", "AAAA", "A" * 1_000, "TmljZSB0cnk"])
def test_what_is_no_token_is_refused(north: ServiceClient, token: str) -> None:
    refused(north, page_token=token)


def test_a_generation_that_is_gone_is_told(world: World, north: ServiceClient) -> None:
    token = north.search(query="red", limit=1)["page_token"]
    world.generations.drop("listing-g1")
    refused(north, page_token=token)


def test_beyond_all_that_is_found_is_refused(large: World) -> None:
    client = ServiceClient(large.app())
    body = {"kind": "listing", "query": "red car"}
    assert client.ask("POST", "/v1/search", json={**body, "offset": 150, "limit": 100}).status_code == 422
    token = client.search(query="red car")["page_token"]
    late = client.ask("POST", "/v1/search", json={**body, "offset": 950, "limit": 100, "page_token": token})
    assert (late.status_code, late.json()["error"]["place"]) == (422, "body.offset")
    assert client.search(query="red car", offset=900, limit=100, page_token=token)["hits"] == []
