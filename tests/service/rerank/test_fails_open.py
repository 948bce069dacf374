"""Promise 6: whatever the model does, the engine's order comes, in time, with the reason."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import BundleRefused
from domain.features import Scores
from domain.search import Query, Scope
from domain.vectors import Array
from domain.versions import VectorState, ready
from rerank_service.shelf import RankingBundle
from tests.service.rerank.faults import FailingTower, OneCallFails, SlowQueries, SlowScorer
from tests.service.rerank.world import LISTING, SPACE, World, engine_order, ids, listing, seen
from tests.support.service_client import ServiceClient
from tests.support.spaces import respace_embedded
from tests.support.toy_bundle import ToyBundle
from tests.support.toy_embedder import ToyEmbedder


def text_order(world: World, text: str) -> list[tuple[str, float]]:
    found = world.engine.search("listing-g1", Scope("north"), Query(text, limit=200))
    return [(one.key.id, one.score) for one in found]


def order(answer: dict[str, Any]) -> list[tuple[str, float]]:
    return [(hit["id"], hit["score"]) for hit in answer["hits"]]


def check_degraded(answer: dict[str, Any], reason: str, expected: list[tuple[str, float]]) -> None:
    assert answer["degraded"] == reason
    assert answer["ranked_by"] is None
    assert order(answer) == expected
    assert expected
    assert [hit["engine_rank"] for hit in answer["hits"]] == list(range(1, len(expected) + 1))


def test_a_missing_bundle(world: World) -> None:
    world.serve("listing", bundle="gone")
    answer = ServiceClient(world.app()).search(query="red estate", history=seen("n4"), limit=100)
    check_degraded(answer, "bundle_missing", text_order(world, "red estate"))


def test_a_damaged_bundle(world: World) -> None:
    def damaged(bundle_id: str) -> RankingBundle:
        raise BundleRefused(f"bundle {bundle_id}", expected="checksum a", got="b", fix="Copy it again.")

    answer = ServiceClient(world.app(bundle=damaged)).search(query="red estate", limit=100)
    check_degraded(answer, "bundle_refused", text_order(world, "red estate"))


def test_a_loader_that_raises_anything(world: World) -> None:
    def broken(bundle_id: str) -> RankingBundle:
        raise OSError("disk on fire")

    client = ServiceClient(world.app(bundle=broken))
    check_degraded(client.search(query="red estate", limit=100), "bundle_refused", text_order(world, "red estate"))
    assert "disk on fire" in client.ask("GET", "/readyz").json()["kinds"]["listing"]["state"]


def test_a_bundle_of_another_space(world: World) -> None:
    world.bundles["alien"] = ToyBundle("alien", "other-space")
    world.serve("listing", bundle="alien")
    client = ServiceClient(world.app())
    answer = client.search(query="red estate", history=seen("n4"), limit=100)
    check_degraded(answer, "space_mismatch", text_order(world, "red estate"))
    client.search(query="red")
    assert client.ask("GET", "/readyz").json()["degraded"] == {"space_mismatch": 2}


def test_a_stored_vector_of_another_space_keeps_its_rank_and_is_counted(world: World) -> None:
    world.tell("north", LISTING, listing("alien", "petrol petrol"), embed=False)
    item = LISTING.item(listing("alien", "petrol petrol", version=2), tenant="north")
    vector = ToyEmbedder("other-space").embed([item])[0]
    respace_embedded(world.database, "listing-g1", "other-space")
    world.engine.write("listing-g1", [ready(item, vector, space="other-space", inputs_hash="", written_at=1.0)])
    respace_embedded(world.database, "listing-g1", SPACE)
    client = ServiceClient(world.app())
    place = ids(client.search(query="petrol", weight=0)).index("alien")
    answer = client.search(query="petrol", history=[*seen("n4"), *seen("alien")], explain=True)
    assert answer["history_used"] == 1
    assert ids(answer)[place] == "alien"
    assert set(answer["hits"][place]["parts"]) == {"engine"}
    assert client.ask("GET", "/readyz").json()["degraded"] == {"wrong_space_hit": 1}


def test_a_tower_that_raises(world: World) -> None:
    world.bundles["toy-1"] = ToyBundle(user_tower=FailingTower())
    client = ServiceClient(world.app())
    answer = client.search(query="red estate", history=seen("n4"), limit=100)
    check_degraded(answer, "model_failed", engine_order(world, "red estate"))
    assert client.search(query="red estate")["ranked_by"] == "toy-1"


def test_a_bundle_that_fails_its_warm_up_is_refused(world: World) -> None:
    class Broken:
        def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
            raise ValueError("wrong number of columns")

    world.bundles["toy-1"] = ToyBundle(scorer=Broken())
    client = ServiceClient(world.app())
    assert client.search(query="red")["degraded"] == "bundle_refused"
    ready_answer = client.ask("GET", "/readyz")
    assert ready_answer.status_code == 503
    assert "wrong number of columns" in ready_answer.json()["error"]["got"]


def test_no_candidate_with_a_vector(empty_world: World) -> None:
    empty_world.tell("north", LISTING, listing("1", "red car"), listing("2", "red red car"), embed=False)
    answer = ServiceClient(empty_world.app()).search(query="red")
    check_degraded(answer, "no_vectors", engine_order(empty_world, "red"))


@pytest.mark.parametrize(
    "who",
    [
        {"user": "u1"},
        {"history": seen("nowhere")},
        {"history": seen("n4", action="impression")},
    ],
    ids=["named only", "unknown item", "only shown"],
)
def test_an_unknown_person_without_a_query(world: World, who: dict[str, Any]) -> None:
    client = ServiceClient(world.app())
    check_degraded(client.search(**who, limit=100), "history_unknown", engine_order(world, ""))
    with_query = client.search(**who, query="red")
    assert (with_query["ranked_by"], with_query["history_used"]) == ("toy-1", 0)


def test_a_history_that_cannot_be_read(world: World) -> None:
    client = ServiceClient(world.app(engine=OneCallFails(world.engine, "lookup")))
    answer = client.search(query="red", history=seen("n4"), limit=100)
    check_degraded(answer, "history_unavailable", engine_order(world, "red"))


def test_a_slow_scorer_is_not_waited_for(world: World) -> None:
    slow = SlowScorer()
    world.bundles["toy-1"] = ToyBundle(scorer=slow)
    client = ServiceClient(world.app())
    client.search(query="red estate", weight=0)
    started = time.monotonic()
    answer = client.search(query="red estate", deadline_ms=600, limit=100)
    took = time.monotonic() - started
    slow.let_go.set()
    check_degraded(answer, "deadline", engine_order(world, "red estate"))
    assert 0.6 <= took < 5
    assert client.search(query="red estate")["ranked_by"] == "toy-1"


def test_models_that_hang_do_not_hold_up_the_engine(world: World) -> None:
    slow = SlowScorer()
    world.bundles["toy-1"] = ToyBundle(scorer=slow)
    client = ServiceClient(world.app())
    client.search(query="red", weight=0)
    for _ in range(12):
        assert client.search(query="red", deadline_ms=20)["degraded"] == "deadline"
    assert client.search(query="", weight=0)["ranked_by"] == "engine"
    slow.let_go.set()


def test_a_slow_text_encoder_is_not_waited_for(world: World) -> None:
    slow = SlowQueries()
    world.bundles["toy-1"] = slow
    client = ServiceClient(world.app())
    client.search(history=seen("n4"))
    started = time.monotonic()
    answer = client.search(query="red estate", deadline_ms=200, limit=100)
    assert time.monotonic() - started < 5
    slow.let_go.set()
    check_degraded(answer, "deadline", text_order(world, "red estate"))


def test_a_bundle_that_loads_slowly_is_used_once_it_is_there(world: World) -> None:
    loaded = threading.Event()

    def slow(bundle_id: str) -> RankingBundle:
        loaded.wait(10)
        return world.bundle(bundle_id)

    client = ServiceClient(world.app(bundle=slow))
    check_degraded(client.search(query="red", deadline_ms=50, limit=100), "bundle_loading", text_order(world, "red"))
    loaded.set()
    assert client.search(query="red")["ranked_by"] == "toy-1"


def test_an_engine_that_is_down_is_told(world: World) -> None:
    client = ServiceClient(world.app(engine=OneCallFails(world.engine, "search")))
    answer = client.ask("POST", "/v1/search", json={"kind": "listing", "query": "red"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["error"]["code"] == "unavailable"


def test_a_generation_that_is_gone_is_not_the_callers_fault(world: World) -> None:
    world.spaces["listing-g0"] = "toy"
    world.serve("listing", generation="listing-g0")
    client = ServiceClient(world.app())
    for method, path in (("POST", "/v1/search"), ("GET", "/v1/similar/listing/n1")):
        answer = client.ask(method, path, json={"kind": "listing", "query": "red"})
        assert answer.status_code == 503
        assert "listing-g0" in answer.json()["error"]["place"]


def test_a_kind_without_a_release_is_unavailable(world: World) -> None:
    client = ServiceClient(world.app(release=lambda kind: None))
    answer = client.ask("POST", "/v1/search", json={"kind": "listing"})
    assert answer.status_code == 503
    assert answer.json()["error"]["expected"] == "a release"


def test_a_tenant_is_served_from_its_own_pointer(world: World, tmp_path: Path) -> None:
    release = world.releases["listing"]
    world.bundles["toy-2"] = ToyBundle("toy-2")
    pointer = replace(release.default, bundle="toy-2")
    world.releases["listing"] = replace(release, tenants={"south": pointer})
    app = world.app()
    assert ServiceClient(app, "north").search(query="red")["ranked_by"] == "toy-1"
    assert ServiceClient(app, "south").search(query="red")["ranked_by"] == "toy-2"


def test_a_similar_item_without_a_vector_is_searched_by_title(world: World) -> None:
    world.tell("north", LISTING, listing("new", "blue van", make="ford"), embed=False)
    assert world.engine.scan("listing-g1", state=VectorState.PENDING)
    answer = ServiceClient(world.app()).ask("GET", "/v1/similar/listing/new").json()
    assert answer["degraded"] == "seed_pending"
    assert ids(answer)[0] == "n5"
    assert "new" not in ids(answer)
