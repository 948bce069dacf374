"""OpenAPI: every route is described, exemplified, and answers as its example does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from rerank_service import examples
from rerank_service.degraded import Degraded
from tests.service.rerank.world import World, seen
from tests.support.service_client import ServiceClient

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")


@pytest.fixture
def routes(empty_world: World) -> dict[str, Any]:
    """The paths of the document, by path and method."""
    document = ServiceClient(empty_world.app(), None).ask("GET", "/openapi.json").json()
    paths: dict[str, Any] = document["paths"]
    return paths


def test_every_route_has_an_example_and_the_error_shape(routes: dict[str, Any]) -> None:
    assert len(routes) == 5
    for path, methods in routes.items():
        for method, route in methods.items():
            answers = route["responses"]
            assert "example" in answers["200"]["content"]["application/json"], (method, path)
            if path.startswith("/v1"):
                error = answers["422"]["content"]["application/json"]["schema"]["properties"]["error"]
                assert set(error["properties"]) == {"code", "place", "expected", "got", "fix"}
            if "requestBody" in route:
                assert route["requestBody"]["content"]["application/json"]["examples"], (method, path)


def test_every_route_and_reason_is_in_the_reference(routes: dict[str, Any]) -> None:
    for path, methods in routes.items():
        for method in methods:
            assert f"{method.upper()} {path}" in REFERENCE
    for reason in Degraded:
        assert f"`{reason.value}`" in REFERENCE


def test_the_example_search_answers_as_its_example_does(north: ServiceClient) -> None:
    body = copy.deepcopy(examples.SEARCH_BODY["person"]["value"])
    body |= {"query": "red estate", "history": seen("n4"), "filters": body["filters"][1:]}
    answer = north.ask("POST", "/v1/search", json=body).json()
    example: dict[str, Any] = examples.SEARCH[200]["content"]["application/json"]["example"]
    assert set(answer) == set(example)
    assert set(answer["hits"][0]) == set(example["hits"][0])
    assert set(answer["hits"][0]["parts"]) == set(example["hits"][0]["parts"])


def test_the_other_examples_answer_as_theirs_do(north: ServiceClient) -> None:
    body = examples.SIMILAR_BODY["filtered"]["value"]
    similar = north.ask("POST", "/v1/similar/listing/n1", json=body).json()
    example: dict[str, Any] = examples.SIMILAR[200]["content"]["application/json"]["example"]
    assert set(similar) == set(example)
    assert set(similar["hits"][0]) == set(example["hits"][0])
    document = examples.ITEM_BODY["listing"]["value"] | {"version": 1, "visible_to": ["*"]}
    told = north.ask("PUT", "/v1/items/listing/a%2F17", json=document).json()
    assert set(told) == set(examples.ITEM[200]["content"]["application/json"]["example"])
    ready = north.ask("GET", "/readyz").json()
    assert set(ready) == set(examples.READY[200]["content"]["application/json"]["example"])
