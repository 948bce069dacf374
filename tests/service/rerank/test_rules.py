"""Pins, hides and boosts: laid on top of every order, the same each time, and no way around a wall."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_service.rules import Rules
from tests.service.rerank.world import World, engine_order, ids
from tests.support.service_client import ServiceClient

OFFERED = [{"id": id_, "score": 1.0} for id_ in ("n5", "n4", "n2", "n1")]


def order(answer: dict[str, Any]) -> list[str]:
    return [one["id"] for one in answer["results"]]


def test_pins_stand_first_in_their_own_order(north: ServiceClient) -> None:
    plain = ids(north.search(query="red"))
    pinned = north.search(query="red", pins=[plain[-1], "nowhere", plain[2]])
    rest = [id_ for id_ in plain if id_ not in (plain[-1], plain[2])]
    assert ids(pinned) == [plain[-1], plain[2], *rest]
    assert order(north.rerank(*OFFERED, query="red estate", pins=["n5", "n2"]))[:2] == ["n5", "n2"]


def test_hides_are_left_out_even_when_pinned(north: ServiceClient) -> None:
    plain = ids(north.search(query="red"))
    hidden = north.search(query="red", hides=[plain[0]], pins=[plain[0]])
    assert ids(hidden) == plain[1:]
    assert hidden["total_candidates"] == len(plain)
    assert "n5" not in order(north.rerank(*OFFERED, query="red", hides=["n5"]))


def test_a_boost_is_added_to_the_score_and_told(north: ServiceClient) -> None:
    asked: dict[str, Any] = {"query": "red estate", "explain": True}
    plain = {one["id"]: one for one in north.rerank(*OFFERED, **asked)["results"]}
    boosted = north.rerank(*OFFERED, **asked, boosts=[{"id": "n5", "add": 9.5}, {"id": "nowhere", "add": 1.0}])
    first = boosted["results"][0]
    assert (first["id"], first["parts"]["boost"], first["contributions"]["boost"]) == ("n5", 9.5, 9.5)
    assert first["score"] == pytest.approx(plain["n5"]["score"] + 9.5)
    assert all("boost" not in one["parts"] for one in boosted["results"][1:])


@pytest.mark.parametrize("asked", [{"weight": 0, "query": "red"}, {}, {"user": "nobody"}])
def test_in_the_engines_order_pins_and_hides_hold_and_boosts_do_not(
    world: World, north: ServiceClient, asked: dict[str, Any]
) -> None:
    boosts = [{"id": "n1", "add": 50.0}]
    answer = north.search(**asked, limit=100, pins=["n4"], hides=["n2"], boosts=boosts)
    text = asked.get("query", "")
    told = [one for one in engine_order(world, text) if one[0] != "n2"]
    first = [one for one in told if one[0] == "n4"]
    assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == first + [one for one in told if one[0] != "n4"]


def test_no_rule_reaches_past_a_wall(north: ServiceClient) -> None:
    foreign = ["s1", "dealer", "nowhere"]
    boosts = [{"id": id_, "add": 50.0} for id_ in foreign]
    ruled = north.search(query="red", limit=100, pins=foreign, hides=["s1"], boosts=boosts)
    plain = north.search(query="red", limit=100)
    assert ruled["hits"] == plain["hits"]
    parts = north.rerank("n1", "s1", "dealer", query="red", boosts=boosts, explain=True)["results"]
    assert all(set(one["parts"]) == {"engine"} for one in parts if one["id"] != "n1")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"pins": ["n1", "n1"]}, "body.pins"),
        ({"boosts": [{"id": "n1", "add": 1.0}, {"id": "n1", "add": 2.0}]}, "body.boosts"),
        ({"boosts": [{"id": "n1", "add": 1e9}]}, "body.boosts[0].add"),
        ({"hides": [None]}, "body.hides[0]"),
    ],
)
def test_wrong_rules_are_told(north: ServiceClient, wrong: dict[str, Any], place: str) -> None:
    answer = north.ask("POST", "/v1/search", json={"kind": "listing", **wrong})
    assert (answer.status_code, answer.json()["error"]["place"]) == (422, place)


IDS = st.lists(st.sampled_from("abcdef"), max_size=6, unique=True)


@given(candidates=IDS, pins=IDS, hides=IDS)
def test_what_is_shown_is_what_is_not_hidden_pins_before_the_rest(
    candidates: list[str], pins: list[str], hides: list[str]
) -> None:
    places = list(range(len(candidates)))
    found = [candidates[place] for place in Rules(tuple(pins), frozenset(hides)).placed(candidates, places)]
    shown = [id_ for id_ in candidates if id_ not in hides]
    first = [id_ for id_ in pins if id_ in shown]
    assert found == first + [id_ for id_ in shown if id_ not in first]
