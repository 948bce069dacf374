"""Promise 6 for /v1/rerank: there is always an order to answer, so nothing that fails here is a 5xx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from domain.errors import BundleRefused, Unavailable
from domain.search import Scope
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.degraded import Tally
from rerank_service.document_vectors import BATCH
from rerank_service.engine_pool import EnginePool
from rerank_service.ranker import Ranker
from rerank_service.request import Offered, RerankRequest
from rerank_service.reranks import Reranks
from rerank_service.shelf import BundleShelf, RankingBundle
from rerank_service.snapshot import Snapshots
from tests.service.rerank.faults import (
    FailingEncoder,
    FailingTower,
    LookupHangs,
    OneCallFails,
    SlowEncoder,
    SlowQueries,
    SlowScorer,
    UnsoundEncoder,
)
from tests.service.rerank.world import KINDS, LISTING, World, listing, seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle

OFFERED = [("n5", 4.0), ("nowhere", 3.5), ("n4", 2.25), ("n1", 0.5)]
DOCUMENTS = ["blue van diesel", "", "blue roadster petrol", "red estate diesel"]

Parts = dict[str, Any]


def broken(name: str) -> Any:
    raise KeyError(f"a bug: {name}")


def down(name: str) -> Any:
    raise Unavailable("search engine", expected="an answer", got="none", fix="Start it.")


def damaged(bundle_id: str) -> RankingBundle:
    raise BundleRefused(f"bundle {bundle_id}", expected="checksum a", got="b", fix="Copy it again.")


@dataclass(frozen=True)
class Fault:
    """What is broken, and the reason that is told."""

    name: str
    reason: str
    parts: Callable[[World], Parts]
    #: Texts are compared without items, so this does not touch them.
    items_only: bool = False


def missing_bundle(world: World) -> Parts:
    world.serve("listing", bundle="gone")
    return {}


def alien_bundle(world: World) -> Parts:
    world.bundles["alien"] = ToyBundle("alien", "other-space")
    world.serve("listing", bundle="alien")
    return {}


def missing_generation(world: World) -> Parts:
    world.spaces["listing-g0"] = "toy"
    world.serve("listing", generation="listing-g0")
    return {}


def failing_tower(world: World) -> Parts:
    world.bundles["toy-1"] = ToyBundle(user_tower=FailingTower())
    return {}


FAULTS = [
    Fault("missing bundle", "bundle_missing", missing_bundle),
    Fault("damaged bundle", "bundle_refused", lambda world: {"bundle": damaged}),
    Fault("loader with a bug", "bundle_refused", lambda world: {"bundle": broken}),
    Fault("bundle of another space", "space_mismatch", alien_bundle),
    Fault("generation gone", "index_unavailable", missing_generation, items_only=True),
    Fault("no release", "index_unavailable", lambda world: {"release": lambda kind: None}),
    Fault("release unavailable", "index_unavailable", lambda world: {"release": down}),
    Fault("release with a bug", "index_unavailable", lambda world: {"release": broken}),
    Fault("lookup fails", "index_unavailable", lambda world: {"engine": OneCallFails(world.engine, "lookup")}, True),
    Fault("user tower raises", "model_failed", failing_tower, items_only=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_whatever_breaks_the_callers_order_is_answered(world: World, fault: Fault) -> None:
    client = ServiceClient(world.app(**fault.parts(world)))
    offered = [{"id": id_, "score": score} for id_, score in OFFERED]
    answer = client.rerank(*offered, query="red estate", history=seen("n4"), explain=True)
    assert (answer["degraded"], answer["ranked_by"], answer["history_used"]) == (fault.reason, None, 0)
    assert [(one["id"], one["score"]) for one in answer["results"]] == OFFERED
    assert [one["parts"] for one in answer["results"]] == [{"engine": score} for _, score in OFFERED]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_whatever_breaks_documents_with_items_keep_their_order(world: World, fault: Fault) -> None:
    client = ServiceClient(world.app(**fault.parts(world)))
    ids = [id_ for id_, _ in OFFERED]
    answer = client.rerank_documents("red estate", DOCUMENTS, item_ids=ids, history=seen("n4"))
    assert answer["meta"]["degraded"] == fault.reason
    found = [(one["index"], one["relevance_score"]) for one in answer["results"]]
    assert found == [(0, 1.0), (1, 0.75), (2, 0.5), (3, 0.25)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_whatever_breaks_documents_keep_their_order(world: World, fault: Fault) -> None:
    client = ServiceClient(world.app(**fault.parts(world)))
    answer = client.rerank_documents("red estate", DOCUMENTS)
    if fault.items_only:
        assert answer["meta"]["degraded"] is None
    else:
        check_documents_in_order(answer, fault.reason)


def check_documents_in_order(answer: dict[str, Any], reason: str) -> None:
    assert (answer["meta"]["degraded"], answer["meta"]["ranked_by"]) == (reason, None)
    found = [(one["index"], one["relevance_score"]) for one in answer["results"]]
    assert found == [(0, 1.0), (1, 0.75), (2, 0.5), (3, 0.25)]


@pytest.mark.parametrize("encoder", [UnsoundEncoder(), FailingEncoder()], ids=["unsound", "raises"])
def test_a_text_encoder_that_fails(world: World, encoder: Any) -> None:
    world.bundles["toy-1"] = ToyBundle(encoder=encoder)
    check_documents_in_order(ServiceClient(world.app()).rerank_documents("red", DOCUMENTS), "model_failed")


@pytest.mark.parametrize("pending", [1, 2, 4])
def test_vectors_that_are_missing(empty_world: World, pending: int) -> None:
    titles = {"a": "blue van", "b": "blue car", "c": "red car", "d": "red estate"}
    documents = [listing(id_, title) for id_, title in titles.items()]
    empty_world.tell("north", LISTING, *documents[pending:])
    empty_world.tell("north", LISTING, *documents[:pending], embed=False)
    answer = ServiceClient(empty_world.app()).rerank(*titles, query="red estate")
    found = [one["id"] for one in answer["results"]]
    if pending == 4:
        assert (answer["degraded"], found) == ("no_vectors", list(titles))
    else:
        assert answer["degraded"] is None
        assert found[:pending] == list(titles)[:pending]
        assert found[pending] == "d"


@pytest.mark.parametrize(
    "who", [{"user": "u1"}, {"history": seen("nowhere")}, {"history": seen("n4", action="impression")}]
)
def test_an_unknown_person(world: World, who: dict[str, Any]) -> None:
    client = ServiceClient(world.app())
    answer = client.rerank("n5", "n1", **who)
    assert (answer["degraded"], [one["id"] for one in answer["results"]]) == ("history_unknown", ["n5", "n1"])
    with_query = client.rerank("n5", "n1", **who, query="red estate")
    assert (with_query["ranked_by"], with_query["history_used"]) == ("toy-1", 0)


def timed(client: ServiceClient, **body: Any) -> tuple[dict[str, Any], float]:
    started = time.monotonic()
    answer = client.rerank("n5", "n4", "n1", query="red estate", deadline_ms=300, **body)
    return answer, time.monotonic() - started


def warm(client: ServiceClient) -> None:
    assert client.ask("GET", "/readyz").json()["ready"] is True


@pytest.mark.parametrize("what", ["scorer", "text encoder"])
def test_a_slow_model_is_not_waited_for(world: World, what: str) -> None:
    slow: SlowScorer | SlowQueries = SlowScorer() if what == "scorer" else SlowQueries()
    world.bundles["toy-1"] = ToyBundle(scorer=slow) if isinstance(slow, SlowScorer) else slow
    client = ServiceClient(world.app())
    warm(client)
    answer, took = timed(client)
    slow.let_go.set()
    assert answer["degraded"] == "deadline"
    # The query's vector has half of the deadline.
    assert 0.15 <= took < 3


def test_an_index_that_hangs_is_not_waited_for(world: World) -> None:
    hanging = LookupHangs(world.engine)
    client = ServiceClient(world.app(engine=hanging))
    warm(client)
    answer, took = timed(client)
    hanging.let_go.set()
    assert (answer["degraded"], [one["id"] for one in answer["results"]]) == ("deadline", ["n5", "n4", "n1"])
    assert 0.3 <= took < 3
    # What comes of it later is not counted again.
    time.sleep(0.2)
    assert client.ask("GET", "/readyz").json()["degraded"] == {"deadline": 1}


def test_a_release_that_hangs_is_not_waited_for(world: World) -> None:
    hanging = LookupHangs(world.engine)

    def release(kind: str) -> Any:
        hanging.let_go.wait(10)
        return world.releases[kind]

    answer, took = timed(ServiceClient(world.app(release=release)))
    hanging.let_go.set()
    assert answer["degraded"] == "deadline"
    assert took < 3


def test_many_hanging_calls_do_not_hold_up_the_deadline(world: World) -> None:
    hanging = LookupHangs(world.engine)
    client = ServiceClient(world.app(engine=hanging))
    warm(client)
    for _ in range(20):
        answer, took = timed(client)
        assert (answer["degraded"], took < 3) == ("deadline", True)
    hanging.let_go.set()


def test_a_process_with_too_much_to_do_answers_at_once(world: World) -> None:
    tally = Tally()
    shelf = BundleShelf(world.bundle, capacity=2)
    snapshots = Snapshots(KINDS, world.releases.get, world.spaces.get, shelf)
    vectors = CandidateVectors(world.engine)
    ranker = Ranker(vectors, snapshots, tally)
    pool = EnginePool(max_inside=0)
    reranks = Reranks(vectors, snapshots, ranker, pool, tally)
    request = RerankRequest("listing", Scope("north"), text="red", offered=(Offered("n5", 2.0), Offered("n1", 1.0)))
    answer = asyncio.run(reranks.rerank(request))
    assert (answer.degraded, [hit.score for hit in answer.hits]) == ("busy", [2.0, 1.0])
    assert tally.counts() == {"busy": 1}
    for closing in (pool, ranker, vectors, shelf):
        closing.close()


def test_texts_that_were_embedded_in_time_bring_the_next_call_further(world: World) -> None:
    slow = SlowEncoder(seconds=0.1)
    world.bundles["toy-1"] = ToyBundle(encoder=slow)
    client = ServiceClient(world.app())
    warm(client)
    documents = [f"red car {number}" for number in range(64)]
    calls = 1
    while client.rerank_documents("red", documents, deadline_ms=250)["meta"]["degraded"] == "deadline":
        calls += 1
        assert calls < 20
    assert calls > 1
    assert set(slow.read) == {*documents, "red"}
    # A call that nobody waits for stops after its batch, which the next call may have begun as well.
    assert len(slow.read) <= len(documents) + 1 + calls * BATCH
