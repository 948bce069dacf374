"""OpenAPI: every route is described, exemplified, and answers as its example does."""

from __future__ import annotations

import copy
import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import httpx
import pytest

from recommender.calibration import Calibration
from rerank_service import examples
from rerank_service.degraded import Degraded
from tests.service.rerank.world import World, seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle, ToyManifest

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")


@pytest.fixture
def routes(empty_world: World) -> dict[str, Any]:
    """The paths of the document, by path and method."""
    document = ServiceClient(empty_world.app(), None).ask("GET", "/openapi.json").json()
    paths: dict[str, Any] = document["paths"]
    return paths


def test_every_route_has_an_example_and_the_error_shape(routes: dict[str, Any]) -> None:
    assert len(routes) == 10
    for path, methods in routes.items():
        for method, route in methods.items():
            answers = route["responses"]
            (told,) = answers["200"]["content"].values()
            assert {"example", "examples"} & set(told), (method, path)
            if path.startswith("/v1"):
                error = answers["422"]["content"]["application/json"]["schema"]["properties"]["error"]
                assert set(error["properties"]) == {"code", "place", "expected", "got", "fix"}
            if "requestBody" in route:
                (asked,) = route["requestBody"]["content"].values()
                assert asked["examples"], (method, path)


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


@pytest.mark.parametrize("name", ["RECOMMEND", "SUGGEST"])
def test_the_example_feeds_answer_as_theirs_do(world: World, name: str) -> None:
    manifest = ToyManifest(calibration=Calibration(1.0, 0.0, 0.0))
    world.bundles["toy-1"] = ToyBundle(manifest=manifest)
    ((body,),) = [[one["value"] for one in getattr(examples, f"{name}_BODY").values()]]
    changed = {"history": seen("n1"), "explain": True} if name == "RECOMMEND" else {"text": "red estate"}
    path = f"/v1/{name.lower()}"
    answer = ServiceClient(world.app()).ask("POST", path, json=body | changed | {"filters": [], "deadline_ms": 10_000})
    assert answer.status_code == 200, answer.text
    example: dict[str, Any] = getattr(examples, name)[200]["content"]["application/json"]["example"]
    assert set(answer.json()) == set(example)
    assert set(answer.json()["hits"][0]) == set(example["hits"][0])
    shown = [json.loads(block) for block in re.findall(r"^\{\n.*?^\}$", REFERENCE, re.DOTALL | re.MULTILINE)]
    assert body in shown
    assert name == "RECOMMEND" or example in shown


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


@pytest.mark.parametrize("shape", ["candidates", "documents"])
def test_the_example_reranks_answer_as_their_examples_do(north: ServiceClient, shape: str) -> None:
    body = examples.RERANK_BODY[shape]["value"]
    answer = north.ask("POST", "/v1/rerank", json=body)
    assert answer.status_code == 200, answer.text
    example: dict[str, Any] = examples.RERANK[200]["content"]["application/json"]["examples"][shape]["value"]
    assert set(answer.json()) == set(example)
    assert set(answer.json()["results"][0]) <= set(example["results"][0])
    assert len(answer.json()["results"]) == len(example["results"])
    assert shape == "candidates" or set(answer.json()["meta"]) == set(example["meta"])


def test_the_example_lines_are_answered_as_their_example_is(north: ServiceClient) -> None:
    lines = examples.BULK_BODY["content"]["application/x-ndjson"]["examples"]["changes"]["value"].splitlines()
    changes = [json.loads(line) for line in lines]
    changes[0]["document"] |= {"version": 1, "visible_to": ["*"]}
    example = examples.BULK[200]["content"]["application/x-ndjson"]["example"].splitlines()
    assert [list(told) for told in north.bulk(*changes)] == [list(json.loads(line)) for line in example]


@pytest.mark.parametrize("example", ["RERANK_BODY", "BULK_BODY"])
def test_the_reference_shows_the_examples(example: str) -> None:
    shown = [json.loads(block) for block in re.findall(r"^\{\n.*?^\}$", REFERENCE, re.DOTALL | re.MULTILINE)]
    if example == "RERANK_BODY":
        for one in examples.RERANK_BODY.values():
            value = {name: part for name, part in one["value"].items() if name not in {"weight", "deadline_ms"}}
            assert value in shown
        for one in examples.RERANK[200]["content"]["application/json"]["examples"].values():
            assert one["value"] in shown
    else:
        lines = examples.BULK_BODY["content"]["application/x-ndjson"]["examples"]["changes"]["value"]
        assert lines + "```" in REFERENCE
        assert examples.BULK[200]["content"]["application/x-ndjson"]["example"] + "```" in REFERENCE


class Answered:
    """What `requests` gives for an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.json = answer.json
        self._answer = answer

    def raise_for_status(self) -> None:
        if self._answer.is_error:
            raise ConnectionError


def test_the_reference_calls_rerank_as_it_is(north: ServiceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` itself is not among our dependencies: a stand-in carries its one call to the service."""

    class Session:
        def post(self, url: str, json: Any, headers: dict[str, str], timeout: float) -> Answered:
            json = json | {"deadline_ms": 10_000}
            return Answered(north.ask("POST", url.removeprefix("http://service"), json=json, headers=headers))

    stand_in: Any = types.ModuleType("requests")
    stand_in.Session, stand_in.RequestException = Session, ConnectionError
    monkeypatch.setitem(sys.modules, "requests", stand_in)
    (code,) = re.findall(r"```python\n(.*?)```", REFERENCE, re.DOTALL)
    names: dict[str, Any] = {"URL": "http://service"}
    exec(code, names)  # noqa: S102 - our own page
    hits = [{"_id": "n5", "_score": 2.0}, {"_id": "n4", "_score": 2.0}, {"_id": "n1", "_score": 2.0}]
    ranked = names["reranked"](hits, "red estate diesel", seen("n1"), "north")
    assert [hit["_id"] for hit in ranked] == ["n1", "n5", "n4"]
    assert names["reranked"]([*hits, hits[0]], "red", [], "north") == [*hits, hits[0]]
