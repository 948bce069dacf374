"""Promise 6 for the gateway: whatever happens on the way to our order, the caller's own search is answered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.errors import Unavailable
from tests.client.false_service import nobody, silent
from tests.service.gateway.asking import SCORES, Asking, cars, gateway_before, ids, outcome
from tests.service.gateway.stand_in import Answered, Sent, StandIn
from tests.service.rerank.faults import FailingTower, LookupHangs, OneCallFails, SlowScorer
from tests.service.rerank.world import World, seen
from tests.support.toy_bundle import ToyBundle


def own(answer: Any, cluster: StandIn, size: int = 10) -> str:
    """Why the answer is that of the caller's own search, byte for byte."""
    assert ids(answer) == list(SCORES)[:size]
    assert answer.content == cars(cluster.sent[-1]).content
    assert "ext" not in cluster.sent[-1].search
    [(header, why)] = outcome(answer).items()
    assert header == "degraded"
    return why


def counted(gateway: Asking, why: str) -> int:
    """How often the service has told this reason."""
    told: dict[str, int] = gateway.http.get("/readyz").json()["degraded"]
    return told.get(why, 0)


def slow(world: World) -> dict[str, Any]:
    world.bundles["toy-1"] = replace(ToyBundle(), scorer=SlowScorer())
    return {}


def broken(world: World) -> dict[str, Any]:
    world.bundles["toy-1"] = replace(ToyBundle(), user_tower=FailingTower())
    return {}


def without_bundle(world: World) -> dict[str, Any]:
    world.bundles.clear()
    return {}


def down(_kind: str) -> Any:
    raise Unavailable("search engine", expected="an answer", got="none", fix="Start it.")


FAULTS: dict[str, tuple[str, dict[str, Any], Callable[[World], dict[str, Any]]]] = {
    "a slow scorer": ("deadline", {"deadline_ms": 200}, slow),
    "an engine of ours that hangs": (
        "deadline",
        {"deadline_ms": 200},
        lambda world: {"engine": LookupHangs(world.engine)},
    ),
    "a broken tower": ("model_failed", {}, broken),
    "no bundle": ("bundle_missing", {}, without_bundle),
    "no release": ("index_unavailable", {}, lambda world: {"release": down}),
    "no index of ours": ("index_unavailable", {}, lambda world: {"engine": OneCallFails(world.engine, "lookup")}),
    "a person without history": ("history_unknown", {"query": "", "history": []}, lambda world: {}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_of_ours_that_fails(world: World, cluster: StandIn, name: str) -> None:
    why, person, fault = FAULTS[name]
    with gateway_before(cluster.address, world, **fault(world)) as gateway:
        told = {"user": "u1", "history": seen("n1"), "deadline_ms": 10_000, **person}
        answer = gateway.search(person=told, size=3)
        assert own(answer, cluster, 3) == why
        assert f'sidetower_degraded_total{{reason="{why}"}} 1.0' in gateway.http.get("/metrics").text


def refusing(which: str, status: int = 503, content: bytes = b"busy") -> Callable[[Sent], Answered]:
    """A cluster that refuses one of the two searches."""
    return lambda sent: Answered(status, content) if getattr(sent, which) else cars(sent)


CLUSTERS: dict[str, tuple[str, Callable[[Sent], Answered]]] = {
    "refuses the window": ("window_failed", refusing("is_window")),
    "refuses the page": ("page_failed", refusing("is_page", 400, b'{"error":{}}')),
    "answers the window with something else": ("gateway_failed", refusing("is_window", 200, b"<html>")),
    "answers the window without hits": ("gateway_failed", refusing("is_window", 200, b'{"hits":7}')),
    "answers the page with half an answer": ("gateway_failed", refusing("is_page", 200, b'{"hits":{"hits":[')),
    "finds the page empty": ("page_changed", refusing("is_page", 200, b'{"hits":{"hits":[]}}')),
    "answers without end": ("window_failed", refusing("is_window", 200, b" " * 9_000_000)),
    "has hits without an id": ("gateway_failed", refusing("is_window", 200, b'{"hits":{"hits":[{"_score":1}]}}')),
    "has numbers that are none": (
        "gateway_failed",
        lambda sent: (
            Answered(content=cars(sent).content.replace(b"title of n5", b"x").replace(b'"x"', b"1e999"))
            if sent.is_page
            else cars(sent)
        ),
    ),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_that_fails_for_one_of_two_searches(gateway: Asking, cluster: StandIn, name: str) -> None:
    why, cluster.answer = CLUSTERS[name]
    before = counted(gateway, why)
    assert own(gateway.search(), cluster) == why
    assert counted(gateway, why) == before + 1


def test_ids_that_are_not_of_one_hit_each(gateway: Asking, cluster: StandIn) -> None:
    def twice(sent: Sent) -> Answered:
        found = json.loads(cars(sent).content)
        if sent.is_window:
            found["hits"]["hits"].append({**found["hits"]["hits"][0], "_index": "cars-2"})
        return Answered(content=json.dumps(found).encode())

    cluster.answer = twice
    assert own(gateway.search(), cluster) == "ambiguous_ids"
    cluster.answer = cars
    assert own(gateway.search("fields"), cluster) == "ids_missing"


@pytest.mark.parametrize("person", [{"weight": 7}, {"colour": "red"}, {"history": [{}]}, "u1", [], {"tenant": ""}])
def test_a_person_that_is_wrong(gateway: Asking, cluster: StandIn, person: Any) -> None:
    answer = gateway.search(person=person)
    assert own(answer, cluster) == "refused"
    assert "ext.sidetower" in answer.headers["x-sidetower-detail"]
    assert len(cluster.sent) == 1


def test_errors_of_the_cluster_are_the_clusters(gateway: Asking, cluster: StandIn) -> None:
    before = gateway.http.get("/readyz").json()
    error = b'{"error":{"type":"parsing_exception","reason":"unknown query [no]"},"status":400}'
    for status in (400, 401, 403, 404, 429, 503):
        cluster.answer = lambda sent, status=status: Answered(status, error)  # type: ignore[misc]
        for answer in (gateway.search(), gateway.search(sort=["price"])):
            assert (answer.status_code, answer.content) == (status, error)
            # A search that the cluster does not answer was not ours to rank: nothing is counted.
            assert outcome(answer) == {}
    assert gateway.http.get("/readyz").json() == before


@pytest.mark.parametrize("away", ["gone", "silent"])
def test_a_cluster_that_does_not_answer(world: World, away: str) -> None:
    with (
        silent() if away == "silent" else nullcontext(nobody()) as address,
        gateway_before(address, world, silence=0.3) as gateway,
    ):
        for answer in (gateway.search(), gateway.http.get("/gateway/_cat/indices")):
            assert answer.status_code == 503
            told = answer.json()
            assert (told["status"], told["error"]["code"]) == (503, "unavailable")
            assert told["error"]["type"] == "sidetower_unavailable"
            assert address in told["error"]["reason"]


def test_an_answer_that_breaks_off_is_not_made_whole(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def half() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=half)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with gateway_before(address, world) as gateway, pytest.raises(httpx.RemoteProtocolError):
            gateway.http.get("/gateway/_cat")
        thread.join(10)


def test_a_caller_who_hangs_up_ends_the_search(world: World) -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def wait() -> None:
            connection, _ = listening.accept()
            with connection:
                while connection.recv(65_536):
                    pass
            ended.set()

        thread = threading.Thread(target=wait)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with gateway_before(address, world, silence=60.0) as gateway:
            impatient = replace(
                gateway, http=httpx.Client(base_url=gateway.http.base_url, timeout=0.5, trust_env=False)
            )
            with impatient.http, pytest.raises(httpx.ReadTimeout):
                impatient.search()
            # The cluster sees its connection end, and with it the search, long before its own time is over.
            assert ended.wait(30)
        thread.join(10)
