"""Suggestions: what reaches the threshold, most probable first, and nothing without a calibration."""

from __future__ import annotations

import math
from typing import Any

import pytest

from recommender.calibration import Calibration
from tests.service.rerank.world import World
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle, ToyManifest


def calibrated(world: World, slope: float = 8.0, intercept: float = -4.0, threshold: float = 0.6) -> ServiceClient:
    world.bundles["toy-1"] = ToyBundle(manifest=ToyManifest(calibration=Calibration(slope, intercept, threshold)))
    return ServiceClient(world.app())


def suggest(client: ServiceClient, text: str, **body: Any) -> dict[str, Any]:
    sent = {"kind": "listing", "text": text, "deadline_ms": 10_000, **body}
    answer = client.ask("POST", "/v1/suggest", json=sent)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_an_item_is_suggested_with_its_probability(world: World) -> None:
    answer = suggest(calibrated(world), "red estate diesel")
    first = answer["hits"][0]
    found = calibrated(world).search(query="red estate diesel", explain=True)["hits"]
    relevance = next(hit["parts"]["relevance"] for hit in found if hit["id"] == "n1")
    expected = 1 / (1 + math.exp(-(8 * relevance - 4)))
    assert (first["id"], first["probability"]) == ("n1", pytest.approx(expected, abs=1e-5))
    told = [hit["probability"] for hit in answer["hits"]]
    assert told == sorted(told, reverse=True)
    assert min(told) >= answer["threshold"] == 0.6


def test_what_is_not_probable_is_not_suggested(world: World) -> None:
    client = calibrated(world)
    for text in ("how do I file my taxes", "?!"):
        answer = suggest(client, text)
        assert (answer["hits"], answer["degraded"]) == ([], None)
    assert suggest(client, "red estate diesel", threshold=0.999)["hits"] == []
    # Less than the bundle's own threshold cannot be asked for.
    assert suggest(client, "red estate diesel", threshold=0.0)["threshold"] == 0.6


def test_a_bundle_without_calibration_suggests_nothing_and_says_why(north: ServiceClient) -> None:
    answer = suggest(north, "red estate diesel")
    assert (answer["hits"], answer["degraded"], answer["threshold"]) == ([], "no_calibration", None)


def test_limit_and_filters_hold(world: World) -> None:
    client = calibrated(world, threshold=0.0)
    assert len(suggest(client, "red", limit=2)["hits"]) == 2
    found = suggest(client, "red", filters=[{"term": {"make": "bmw"}}], limit=20)
    assert [hit["id"] for hit in found["hits"]] == ["n2"]


def test_no_suggestion_leaves_tenant_and_audience(world: World) -> None:
    client = calibrated(world, threshold=0.0)
    for text in ("red tractor of the south", "auction lot", "red cabriolet lorry"):
        told = suggest(client, text, limit=20)["hits"]
        assert {hit["id"] for hit in told} <= {"n1", "n2", "n3", "n4", "n5", "shared"}
        assert all("south" not in hit["fields"]["title"] for hit in told)
    assert "dealer" in {hit["id"] for hit in suggest(client, "auction lot", audiences=["dealers"])["hits"]}


def test_a_slow_or_missing_model_suggests_nothing(world: World) -> None:
    world.serve("listing", bundle="gone")
    answer = suggest(ServiceClient(world.app()), "red estate")
    assert (answer["hits"], answer["degraded"]) == ([], "bundle_missing")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [({"text": ""}, "body.text"), ({"limit": 21}, "body.limit"), ({"threshold": 1.1}, "body.threshold")],
)
def test_wrong_bodies_are_told(north: ServiceClient, wrong: dict[str, Any], place: str) -> None:
    answer = north.ask("POST", "/v1/suggest", json={"kind": "listing", "text": "red", **wrong})
    assert (answer.status_code, answer.json()["error"]["place"]) == (422, place)
