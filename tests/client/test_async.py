"""A wrapped asynchronous client does what the synchronous one does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opensearchpy import OpenSearch

import sidetower_client
from sidetower_client import RerankingOpenSearch
from tests.client.conftest import ids
from tests.client.false_service import nobody
from tests.client.test_fails_open import UNREACHABLE
from tests.client.test_pass_through import OPTIONS
from tests.client.test_search import HISTORY, QUERY
from tests.support.needs import require_module

pytestmark = pytest.mark.opensearch

Asked = Callable[[Any], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _aiohttp() -> None:
    require_module("aiohttp", "dev")


def run(address: str, url: str, asked: Asked, **settings: Any) -> Any:
    """What a wrapped asynchronous client answers, in an event loop of its own; nothing may be left open."""
    from opensearchpy import AsyncOpenSearch

    async def one() -> Any:
        own = AsyncOpenSearch([address], timeout=30, max_retries=0)
        wrapped: Any = sidetower_client.wrap(own, url=url, tenant="north", kind="listing", **settings)
        async with wrapped as client:
            return await asked(client)

    return asyncio.run(one())


def test_the_same_answer_as_without_waiting(
    client: RerankingOpenSearch, opensearch_url: str, service: str, index: str
) -> None:
    body = {"query": QUERY, "from": 5, "size": 7, "aggs": {"makes": {"terms": {"field": "make"}}}}
    expected = client.search(index=index, body=body, sidetower={"history": HISTORY})

    async def search(asynchronous: Any) -> Any:
        return await asynchronous.search(index=index, body=body, sidetower={"history": HISTORY})

    answer = run(opensearch_url, service, search, deadline_ms=10_000)
    assert ids(answer) == ids(expected)
    assert answer["aggregations"] == expected["aggregations"]
    assert answer["ext"]["sidetower"]["ranked_by"] == "toy-1"


def test_searches_at_the_same_time(opensearch_url: str, service: str, index: str) -> None:
    async def many(client: Any) -> list[Any]:
        searches = [
            client.search(index=index, body={"query": QUERY, "size": size}, sidetower={"history": HISTORY})
            for size in range(1, 21)
        ]
        return await asyncio.gather(*searches)

    found = run(opensearch_url, service, many, deadline_ms=10_000)
    for size, answer in enumerate(found, start=1):
        assert answer["ext"]["sidetower"]["degraded"] is None
        assert ids(answer) == ids(found[-1])[:size]


def test_without_sidetower_and_what_cannot_be_ranked(plain: OpenSearch, opensearch_url: str, index: str) -> None:
    async def calls(client: Any) -> list[Any]:
        return [
            await client.search(index=index, body={"query": QUERY}),
            await client.search(index=index, body={"query": QUERY}, sidetower={"weight": 0}),
            await client.search(index=index, body={"query": QUERY}, sort="price:asc", sidetower=OPTIONS),
            await client.count(index=index, body={"query": QUERY}),
        ]

    untouched, cold, by_price, count = run(opensearch_url, nobody(), calls)
    assert untouched["hits"] == cold["hits"] == plain.search(index=index, body={"query": QUERY})["hits"]
    assert "ext" not in untouched
    assert by_price["hits"] == plain.search(index=index, body={"query": QUERY}, sort="price:asc")["hits"]
    assert by_price["ext"]["sidetower"]["passed_through"] == "sort"
    assert count["count"] == untouched["hits"]["total"]["value"]


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_service_that_does_not_answer(plain: OpenSearch, opensearch_url: str, index: str, name: str) -> None:
    reason, server = UNREACHABLE[name]

    async def search(client: Any) -> Any:
        return await client.search(index=index, body={"query": QUERY}, sidetower=OPTIONS)

    with server() as url:
        answer = run(opensearch_url, url, search, deadline_ms=10_000 if reason == "service_unreachable" else 100)
    assert answer["hits"] == plain.search(index=index, body={"query": QUERY})["hits"]
    degraded = answer["ext"]["sidetower"]["degraded"]
    assert degraded in {reason, "deadline"} if name == "nameless" else degraded == reason


def test_what_the_hosts_own_search_raises_is_raised(opensearch_url: str, service: str, index: str) -> None:
    from opensearchpy import RequestError

    async def search(client: Any) -> Any:
        return await client.search(index=index, body={"query": {"no_such_query": {}}}, sidetower=OPTIONS)

    with pytest.raises(RequestError, match="no_such_query"):
        run(opensearch_url, service, search)


def test_a_search_that_is_cancelled_is_cancelled(opensearch_url: str, index: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        async def cancelled(client: Any) -> None:
            body = {"query": QUERY}
            search = asyncio.create_task(client.search(index=index, body=body, sidetower={"deadline_ms": 10_000}))
            # It waits for the service, which says nothing.
            held, _ = await asyncio.to_thread(listening.accept)
            search.cancel()
            with held, pytest.raises(asyncio.CancelledError):
                await search

        run(opensearch_url, f"http://127.0.0.1:{listening.getsockname()[1]}", cancelled)


def test_the_way_to_the_service_is_not_bound_to_one_event_loop(service: str) -> None:
    from sidetower_client.asynchronous import AsyncService
    from sidetower_client.flow import Rerank

    asked = b'{"kind": "listing", "query": "red", "deadline_ms": 10000, "candidates": [{"id": "car-1"}]}'
    sender = AsyncService(f"{service}/v1/rerank")

    async def once() -> str:
        answer = await sender.rerank(Rerank(asked, "north", 10.0))
        await sender.close()
        return str(answer["ranked_by"])

    assert [asyncio.run(once()), asyncio.run(once())] == ["toy-1", "toy-1"]
