"""Recommendations and user-aware similar items: whose taste, from where, past no wall, and honest about nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.items import Item, ItemKey
from domain.search import Hit
from domain.vectors import DIMENSIONS, unit
from rerank_service.diversity import diverse
from tests.service.rerank.faults import FailingTower
from tests.service.rerank.world import LISTING, World, ids, listing, seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle

PUBLIC = {"n1", "n2", "n3", "n4", "n5", "shared"}


def ask(client: ServiceClient, path: str, **body: Any) -> dict[str, Any]:
    answer = client.ask("POST", path, json={"deadline_ms": 10_000, **body})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def recommend(client: ServiceClient, **body: Any) -> dict[str, Any]:
    return ask(client, "/v1/recommend", kind="listing", **body)


def with_neighbours(world: World, table: Mapping[tuple[str, str, str], Sequence[str]]) -> ServiceClient:
    world.bundles["toy-1"] = ToyBundle(neighbours=table)
    return ServiceClient(world.app())


def test_what_is_near_the_persons_taste_comes_first(north: ServiceClient) -> None:
    answer = recommend(north, history=seen("n4"))
    assert (ids(answer)[0], answer["ranked_by"], answer["history_used"]) == ("n3", "toy-1", 1)
    assert "n4" not in ids(answer)
    assert ids(recommend(north, history=seen("n4"), exclude_seen=False))[0] == "n4"


def test_neighbours_are_a_source_of_their_own(world: World) -> None:
    world.tell("north", LISTING, listing("odd", "zeppelin"), embed=False)
    client = with_neighbours(world, {("north", "listing", "n4"): ["odd", "s1", "dealer", "nowhere"]})
    found = ids(recommend(client, history=seen("n4")))
    # Without a vector it can only come from there; another tenant's and another audience's never do.
    assert "odd" in found
    assert set(found) <= PUBLIC | {"odd"}


@pytest.mark.parametrize(("who", "degraded"), [({}, None), ({"user": "u1"}, "history_unknown"), ({"weight": 0}, None)])
def test_for_nobody_what_most_people_like(world: World, who: dict[str, Any], degraded: str | None) -> None:
    client = with_neighbours(world, {("north", "listing", ""): ["n5", "s1", "dealer", "n2"]})
    answer = recommend(client, **who)
    assert ids(answer) == ["n5", "n2"]
    assert (answer["degraded"], answer["ranked_by"]) == (degraded, None if degraded else "popular")
    filtered = recommend(client, **who, filters=[{"term": {"make": "bmw"}}])
    assert ids(filtered) == ["n2"]


def test_where_nobody_counted_the_engines_order(world: World, north: ServiceClient) -> None:
    answer = recommend(north, limit=100)
    assert (ids(answer), answer["ranked_by"]) == (sorted(PUBLIC), "engine")


def test_a_model_that_fails_costs_the_ranking_only(world: World) -> None:
    world.bundles["toy-1"] = ToyBundle(user_tower=FailingTower())
    answer = recommend(ServiceClient(world.app()), history=seen("n4"), limit=100)
    assert (answer["degraded"], ids(answer)) == ("model_failed", sorted(PUBLIC - {"n4"}))


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ([{"term": {"make": "mg"}}], {"n3"}),
        ([{"range": {"price": {"lt": 9000}}}], {"n2", "shared"}),
        ([{"not": {"exists": "sold"}}], set()),
        ([{"term": {"sold": True}}], {"n3"}),
        ([{"range": {"listed": {"gte": "2026-01-05"}}}], {"n5", "shared"}),
        ([{"terms": {"make": ["bmw", "ford"]}}, {"not": {"term": {"make": "ford"}}}], {"n2"}),
    ],
)
def test_filters_hold_for_every_source(world: World, filters: list[dict[str, Any]], wanted: set[str]) -> None:
    others = sorted(PUBLIC - {"n4"})
    client = with_neighbours(world, {("north", "listing", "n4"): others, ("north", "listing", ""): others})
    assert set(ids(recommend(client, history=seen("n4"), filters=filters))) == wanted
    assert set(ids(recommend(client, filters=filters))) - {"n4"} == wanted


def test_no_recommendation_leaves_tenant_and_audience(world: World) -> None:
    everything = ["s1", "shared", "dealer", *sorted(PUBLIC)]
    table = {(tenant, "listing", id_): everything for tenant in ("north", "south") for id_ in ("", "shared", "dealer")}
    client = with_neighbours(world, table)
    south = ServiceClient(client.app, "south")
    for history in ([], seen("shared"), seen("dealer"), seen("s1")):
        assert set(ids(recommend(client, history=history, limit=100))) <= PUBLIC
        told = recommend(south, history=history, limit=100)["hits"]
        assert {hit["fields"]["title"] for hit in told} <= {"red lorry of the south", "red tractor of the south"}
    assert recommend(client, history=seen("dealer"))["history_used"] == 0
    assert "dealer" in ids(recommend(client, history=seen("n1"), audiences=["dealers"], limit=100))


def test_rules_hold_in_feeds(north: ServiceClient) -> None:
    plain = ids(recommend(north, history=seen("n4")))
    ruled = recommend(north, history=seen("n4"), pins=[plain[-1]], hides=[plain[0]], explain=True)
    assert ids(ruled) == [plain[-1], *plain[1:-1]]
    for hit in ruled["hits"]:
        assert sum(hit["contributions"].values()) == pytest.approx(hit["score"], abs=1e-5)


def similar(client: ServiceClient, id_: str, **body: Any) -> dict[str, Any]:
    return ask(client, f"/v1/similar/listing/{id_}", **body)


def test_similar_items_for_a_person(north: ServiceClient) -> None:
    plain = similar(north, "n2", limit=100)
    fan = similar(north, "n2", limit=100, history=seen("n5"))
    assert (plain["ranked_by"], fan["ranked_by"], fan["history_used"]) == ("engine", "toy-1", 1)
    assert set(ids(fan)) == set(ids(plain))
    assert ids(fan).index("n5") < ids(plain).index("n5")
    unseen = similar(north, "n2", limit=100, history=seen("n5", "s1"), exclude_seen=True)
    assert set(ids(unseen)) == set(ids(plain)) - {"n5"}
    unknown = similar(north, "n2", limit=100, user="nobody")
    assert (unknown["degraded"], ids(unknown)) == ("history_unknown", ids(plain))
    assert ids(similar(north, "n2", limit=100, history=seen("n5"), weight=0)) == ids(plain)


def test_similar_items_that_are_unlike_each_other(world: World) -> None:
    world.tell("north", LISTING, *(listing(f"twin{n}", "red estate petrol") for n in range(3)))
    client = ServiceClient(world.app())
    plain = ids(similar(client, "n2", limit=4))
    spread = ids(similar(client, "n2", limit=4, diversity=0.7))
    assert plain[:3] == ["twin0", "twin1", "twin2"]
    assert spread[0] == "twin0"
    assert len({"twin0", "twin1", "twin2"} & set(spread)) < 3


def test_pins_stay_at_the_head_of_diverse_hits() -> None:
    hits = [
        Hit(Item(ItemKey("north", "listing", f"i{n}"), 1), score, n + 1, {}) for n, score in enumerate([0, 0, 3, 2])
    ]
    vectors = {hit.item.key: unit(np.eye(DIMENSIONS, dtype=np.float32)[0]) for hit in hits}
    found = diverse(hits, vectors, 0.5, 3, pins=("i0", "i1", "i3"))
    assert [hit.item.key.id for hit in found] == ["i0", "i1", "i2"]


@settings(deadline=None)
@given(
    axes=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    limit=st.integers(1, 12),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_diverse_hits_are_hits_each_once(axes: list[int], limit: int, diversity: float) -> None:
    hits = [Hit(Item(ItemKey("north", "listing", f"i{n:02}"), 1), 1 / (1 + n), n + 1, {}) for n, _ in enumerate(axes)]
    vectors = {
        hit.item.key: unit(np.eye(DIMENSIONS, dtype=np.float32)[axis]) for hit, axis in zip(hits, axes, strict=True)
    }
    found = diverse(hits, vectors, diversity, limit)
    assert len(found) == len({hit.item.key for hit in found}) == min(limit, len(hits))
    assert found[0] == hits[0]
    if diversity == 0:
        assert list(found) == hits[:limit]
    if diversity == 1:
        # Every axis is shown once before any is shown twice.
        shown = [axes[hit.engine_rank - 1] for hit in found]
        first = shown[: len(set(axes))]
        assert len(set(first)) == len(first)
