"""Whatever happens on the way to our order, a wrapped client answers what the host's own search finds."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch, RequestError

import sidetower_client
from sidetower_client import RerankingOpenSearch
from tests.client.conftest import ids, make_index
from tests.client.false_service import Answer, answering, nobody, silent, trickling
from tests.client.served import cars
from tests.client.test_pass_through import OPTIONS
from tests.client.test_search import HISTORY, QUERY
from tests.service.rerank.world import seen
from tests.support.opensearch_proxy import running_proxy

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.opensearch


def in_engine_order(client: RerankingOpenSearch, plain: OpenSearch, index: str, **options: Any) -> dict[str, Any]:
    """What the answer says of itself; its hits have to be the engine's."""
    body = {"query": QUERY, "size": 5, "highlight": {"fields": {"title": {}}}}
    told: Any = {**OPTIONS, **options}
    answer = client.search(index=index, body=body, sidetower=told)
    assert answer["hits"] == plain.search(index=index, body=body)["hits"]
    marker: dict[str, Any] = answer["ext"]["sidetower"]
    assert marker["ranked_by"] is None
    return marker


def wrapped(plain: OpenSearch, url: str, **settings: Any) -> RerankingOpenSearch:
    client: RerankingOpenSearch = sidetower_client.wrap(plain, url=url, tenant="north", kind="listing", **settings)
    return client


def always(status: int, content: Any) -> Answer:
    return lambda _: (status, content if isinstance(content, bytes) else json.dumps(content).encode())


def ranked(asked: dict[str, Any], **change: Any) -> dict[str, Any]:
    """An answer that leaves the order as it is."""
    results = [
        {"id": one["id"], "index": place, "score": 1.0, "engine_rank": place + 1}
        for place, one in enumerate(asked["candidates"][: asked["limit"]])
    ]
    return {"results": results, "rank_id": "r", "ranked_by": "b", "degraded": None, "history_used": 0, **change}


FALSE_ANSWERS: dict[str, tuple[str, Answer]] = {
    "fault": ("service_failed", always(500, {"error": {}})),
    "away": ("service_failed", always(503, b"Service Unavailable")),
    "moved": ("service_failed", always(302, b"")),
    "refusal": ("refused", always(422, {"error": {"code": "invalid_query"}})),
    "not JSON": ("service_failed", always(200, b"<html>")),
    "half an answer": ("service_failed", always(200, b'{"results": [{"ind')),
    "something else": ("service_failed", always(200, ["hello"])),
    "no results": ("service_failed", lambda asked: (200, json.dumps(ranked(asked, results=[])).encode())),
    "one twice": (
        "service_failed",
        lambda asked: (200, json.dumps(ranked(asked, results=2 * ranked(asked)["results"][:1])).encode()),
    ),
    "a stranger": (
        "service_failed",
        lambda asked: (200, json.dumps(ranked(asked, results=[{"index": 999, "score": 1}] * 5)).encode()),
    ),
    "no number": (
        "service_failed",
        lambda asked: (200, json.dumps(ranked(asked, results=[{"index": 0, "score": None}] * 5)).encode()),
    ),
}


@pytest.mark.parametrize("name", FALSE_ANSWERS)
def test_a_service_that_answers_something_else(
    plain: OpenSearch, index: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    reason, answer = FALSE_ANSWERS[name]
    with answering(answer) as url, caplog.at_level(logging.WARNING, "sidetower_client"):
        assert in_engine_order(wrapped(plain, url, deadline_ms=10_000), plain, index)["degraded"] == reason
    assert reason in caplog.text


def test_a_false_service_can_be_right(plain: OpenSearch, index: str) -> None:
    # The test above would pass as well if no answer of such a server were ever taken.
    with answering(lambda asked: (200, json.dumps(ranked(asked)).encode())) as url:
        answer = wrapped(plain, url, deadline_ms=10_000).search(
            index=index, body={"query": QUERY, "size": 5}, sidetower=OPTIONS
        )
    assert answer["ext"]["sidetower"]["ranked_by"] == "b"


UNREACHABLE: dict[str, tuple[str, Callable[[], AbstractContextManager[str]]]] = {
    "gone": ("service_unreachable", lambda: nullcontext(nobody())),
    "nameless": ("service_unreachable", lambda: nullcontext("http://sidetower.invalid:8080")),
    "silent": ("deadline", silent),
    "trickling": ("deadline", trickling),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_service_that_does_not_answer(plain: OpenSearch, index: str, name: str) -> None:
    reason, server = UNREACHABLE[name]
    # Where nothing ever answers, only the deadline ends the wait; a name is looked up for as long as that takes.
    with server() as url:
        client = wrapped(plain, url, deadline_ms=10_000 if reason == "service_unreachable" else 100)
        marker = in_engine_order(client, plain, index)
    assert marker["degraded"] in {reason, "deadline"} if name == "nameless" else marker["degraded"] == reason


def test_the_service_is_given_less_than_the_deadline(plain: OpenSearch, index: str) -> None:
    told: list[dict[str, Any]] = []

    def listen(asked: dict[str, Any]) -> tuple[int, bytes]:
        told.append(asked)
        return 200, json.dumps(ranked(asked)).encode()

    with answering(listen) as url:
        client = wrapped(plain, url, deadline_ms=5_000, window=20)
        client.search(index=index, body={"query": QUERY}, sidetower={"deadline_ms": 8_000, "tenant": "k\u00f6ln"})
    [asked] = told
    assert asked["deadline_ms"] == 8_000 * 8 // 10
    assert (len(asked["candidates"]), asked["limit"]) == (20, 10)
    assert asked["tenant"].encode("latin-1").decode() == "k\u00f6ln"


def test_a_service_that_degrades_says_why(plain: OpenSearch, service: str, index: str) -> None:
    marker = in_engine_order(
        wrapped(plain, service, deadline_ms=10_000), plain, index, query="", history=seen("nowhere")
    )
    assert marker["degraded"] == "history_unknown"
    assert marker["rank_id"]


@pytest.mark.parametrize(
    "wrong",
    [{"weight": 7}, {"colour": "red"}, {"kind": "bicycle"}, {"history": [{"kind": "listing"}]}, {"tenant": ""}],
    ids=["a weight", "an option", "a kind", "an event", "a tenant"],
)
def test_options_that_the_service_refuses(
    plain: OpenSearch, service: str, index: str, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    marker = in_engine_order(wrapped(plain, service, deadline_ms=10_000), plain, index, **wrong)
    assert marker["degraded"] == "refused"
    # The service says what is wrong with it, and the log passes that on.
    assert '"fix"' in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [{"history": [object()]}, {"deadline_ms": "soon"}, {"query": 5}, {"weight": float("nan")}],
    ids=["an event", "a deadline", "a query", "a weight"],
)
def test_options_that_cannot_be_sent(plain: OpenSearch, service: str, index: str, wrong: dict[str, Any]) -> None:
    assert in_engine_order(wrapped(plain, service), plain, index, **wrong)["degraded"] == "client_failed"


def test_an_engine_that_refuses_the_window(plain: OpenSearch, service: str, index: str) -> None:
    name = f"{index}-narrow"
    make_index(plain, name, cars(), max_result_window=50)
    try:
        assert in_engine_order(wrapped(plain, service), plain, name)["degraded"] == "window_failed"
    finally:
        plain.indices.delete(index=name)


def test_an_engine_that_refuses_the_page(plain: OpenSearch, opensearch_url: str, service: str, index: str) -> None:
    # The page's search is the only one with ids; a proxy lets none through that is as long as that.
    body = {"query": QUERY, "size": 60}
    with running_proxy(opensearch_url, max_body=400) as proxy, OpenSearch([proxy], max_retries=0) as narrow:
        client = wrapped(narrow, service, deadline_ms=10_000)
        answer = client.search(index=index, body=body, sidetower=OPTIONS)
    assert answer["ext"]["sidetower"] == {"ranked_by": None, "degraded": "page_failed"}
    assert answer["hits"] == plain.search(index=index, body=body)["hits"]


def test_a_hit_that_goes_while_it_is_ranked(plain: OpenSearch, index: str) -> None:
    name = f"{index}-changing"
    make_index(plain, name, cars())

    def remove_the_best(asked: dict[str, Any]) -> tuple[int, bytes]:
        plain.delete(index=name, id=asked["candidates"][0]["id"], refresh=True)
        return 200, json.dumps(ranked(asked)).encode()

    try:
        with answering(remove_the_best) as url:
            assert in_engine_order(wrapped(plain, url, deadline_ms=10_000), plain, name)["degraded"] == "page_changed"
    finally:
        plain.indices.delete(index=name)


def test_what_the_hosts_own_search_raises_is_raised(plain: OpenSearch, service: str, index: str) -> None:
    client = wrapped(plain, service)
    wrong: dict[str, Any] = {"query": {"no_such_query": {}}}
    with pytest.raises(RequestError) as own:
        plain.search(index=index, body=wrong)
    with pytest.raises(RequestError) as through_us:
        client.search(index=index, body=wrong, sidetower=OPTIONS)
    assert str(through_us.value) == str(own.value)
    missing = client.search(index="no-such-index", body={"query": QUERY}, sidetower=OPTIONS, ignore=404)
    assert missing["status"] == 404


def test_threads_share_a_client(plain: OpenSearch, service: str, index: str) -> None:
    client = wrapped(plain, service, deadline_ms=10_000)

    def search(size: int) -> list[str]:
        return ids(client.search(index=index, body={"query": QUERY, "size": size}, sidetower={"history": HISTORY}))

    expected = search(40)
    with ThreadPoolExecutor(8) as pool:
        for size, found in zip(range(1, 41), pool.map(search, range(1, 41)), strict=True):
            assert found == expected[:size]


def test_a_closed_client_goes_on(opensearch_url: str, service: str, index: str) -> None:
    with OpenSearch([opensearch_url], timeout=30) as own, wrapped(own, service, deadline_ms=10_000) as client:
        for _ in range(2):
            answer = client.search(index=index, body={"query": QUERY}, sidetower=OPTIONS)
            assert answer["ext"]["sidetower"]["ranked_by"] == "toy-1"
            client.close()


AFTER_A_FORK = """
import os, sys
import sidetower_client
from opensearchpy import OpenSearch

url, service, index = sys.argv[1:]
client = sidetower_client.wrap(OpenSearch([url]), url=service, tenant="north", kind="listing", deadline_ms=10_000)

def search():
    answer = client.search(index=index, body={"query": {"match": {"title": "red car"}}}, sidetower={})
    return answer["ext"]["sidetower"]["ranked_by"]

print(search(), flush=True)
if os.fork() == 0:
    print(search(), flush=True)
    os._exit(0)
os.wait()
print(search(), flush=True)
"""


def test_a_child_process_has_connections_of_its_own(opensearch_url: str, service: str, index: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_A_FORK, opensearch_url, service, index],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["toy-1"] * 3
