"""Promise 12: one error shape for everything that can be wrong with a request."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from domain.errors import Unavailable
from rerank_service.body_limit import MAX_BODY_BYTES
from tests.service.rerank.world import World
from tests.support.service_client import ServiceClient

SHAPE = {"code", "place", "expected", "got", "fix"}
EVENT: dict[str, Any] = {"kind": "listing", "id": "n1", "action": "view", "timestamp": 1}


def error_of(answer: httpx.Response) -> dict[str, str]:
    """The error, which has every field of the shape and says something in each."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, str] = body["error"]
    assert set(error) == SHAPE
    assert all(error.values())
    return error


@pytest.mark.parametrize(
    ("body", "status", "place", "expected"),
    [
        ({}, 422, "body.kind", "a value: it is required"),
        ({"kind": "boat"}, 404, "kind", "one of: article, listing"),
        ({"kind": "listing", "limit": 0}, 422, "body.limit", "greater than or equal to 1"),
        ({"kind": "listing", "limit": 101}, 422, "body.limit", "less than or equal to 100"),
        ({"kind": "listing", "limit": "10"}, 422, "body.limit", "a valid integer"),
        ({"kind": "listing", "limit": True}, 422, "body.limit", "a valid integer"),
        ({"kind": "listing", "offset": -1}, 422, "body.offset", "greater than or equal to 0"),
        ({"kind": "listing", "offset": 150, "limit": 60}, 422, "body.offset", "offset + limit of at most 200"),
        ({"kind": "listing", "weight": 1.5}, 422, "body.weight", "less than or equal to 1"),
        ({"kind": "listing", "deadline_ms": 0}, 422, "body.deadline_ms", "greater than or equal to 1"),
        ({"kind": "listing", "qurey": "red"}, 422, "body.qurey", "no such field"),
        ({"kind": "listing", "query": "x" * 1001}, 422, "body.query", "at most 1000 characters"),
        ({"kind": "listing", "query": None}, 422, "body.query", "a valid string"),
        ({"kind": "listing", "filters": {"term": {}}}, 422, "body.filters", "a valid list"),
        ({"kind": "listing", "filters": ["make"]}, 422, "body.filters[0]", "a JSON object"),
        (
            {"kind": "listing", "filters": [{"term": {"colour": 1}}]},
            422,
            "filters[0].term",
            "listed, make, price, sold",
        ),
        ({"kind": "listing", "audiences": [""]}, 422, "body.audiences[0]", "at least 1 character"),
        ({"kind": "listing", "audiences": "staff"}, 422, "body.audiences", "a valid list"),
        ({"kind": "listing", "history": [{"id": "n1"}]}, 422, "body.history[0].kind", "a value: it is required"),
        ({"kind": "listing", "history": [EVENT | {"kind": "boat"}]}, 422, "body.history[0].kind", "article, listing"),
        (
            {"kind": "listing", "history": [EVENT | {"timestamp": 1.7e12}]},
            422,
            "body.history[0].timestamp",
            "less than",
        ),
        ([], 422, "body", "a JSON object"),
        ("red", 422, "body", "a JSON object"),
        (None, 422, "body", "a value: it is required"),
    ],
)
def test_a_wrong_search_is_told(north: ServiceClient, body: Any, status: int, place: str, expected: str) -> None:
    answer = north.ask("POST", "/v1/search", json=body)
    error = error_of(answer)
    assert (answer.status_code, error["place"]) == (status, place)
    assert expected in error["expected"]


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"kind": "listing", "weight": NaN}', b'{"kind": "\\ud800"}', b'{"kind": "\xff"}', b"[" * 100_000],
    ids=["cut off", "NaN", "half a character", "not UTF-8", "nested without end"],
)
def test_a_body_that_is_not_json_is_told(north: ServiceClient, content: bytes) -> None:
    answer = north.ask("POST", "/v1/search", content=content, headers={"Content-Type": "application/json"})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["expected"]) == (422, "invalid_query", "well-formed JSON")


def test_json_without_its_content_type_is_told(north: ServiceClient) -> None:
    answer = north.ask("POST", "/v1/search", content=b'{"kind": "listing"}', headers={"Content-Type": "text/plain"})
    assert "Content-Type: application/json" in error_of(answer)["fix"]


def test_several_faults_are_named_together(north: ServiceClient) -> None:
    error = error_of(north.ask("POST", "/v1/search", json={"limit": 0, "offset": -1}))
    assert "Wrong as well: body.limit, body.offset" in error["fix"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/search", 405, "method_not_allowed"),
        ("POST", "/v1/search/", 404, "not_found"),
        ("PATCH", "/v1/items/listing/1", 405, "method_not_allowed"),
        ("GET", "/v1/similar/boat/1", 404, "not_found"),
        ("GET", "/v1/similar/listing/", 422, "invalid_query"),
        ("GET", "/v1/similar/listing/" + "x" * 401, 422, "invalid_query"),
        ("GET", "/v1/similar/listing/a%0Ab", 404, "not_found"),
        ("GET", "/v1/similar/listing/a%FFb", 422, "invalid_query"),
        ("GET", "/v1/similar/listing/n1?limit=0", 422, "invalid_query"),
        ("GET", "/v1/similar/listing/n1?limit=ten", 422, "invalid_query"),
        ("GET", "/v1/similar/listing/n1?audiences=", 422, "invalid_query"),
        ("GET", "/v1/similar/listing/n1?limt=5", 422, "invalid_query"),
        ("DELETE", "/v1/items/listing/n1?revison=5", 422, "invalid_query"),
        ("DELETE", "/v1/items/listing/n1?revision=-1", 422, "invalid_query"),
        ("DELETE", "/v1/items/listing/n1?revision=" + "9" * 5_000, 422, "invalid_query"),
        ("DELETE", "/v1/items/listing/n1?revision=soon", 422, "invalid_query"),
        ("DELETE", f"/v1/items/listing/n1?revision={2**61}", 422, "invalid_item"),
        ("DELETE", "/v1/items/boat/n1?revision=1", 404, "not_found"),
    ],
)
def test_a_wrong_path_is_told(north: ServiceClient, method: str, path: str, status: int, code: str) -> None:
    answer = north.ask(method, path)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": None}, "field version"),
        ({"version": 1.5}, "field version"),
        ({"version": -1}, "field version"),
        ({"listing_id": "2"}, "field listing_id"),
        ({"listing_id": {"a": 1}}, "field listing_id"),
        ({"price": "cheap"}, "field price"),
        ({"title": {"de": "Boot"}}, "field title"),
        ({"visible_to": []}, "field visible_to"),
        ({"sold": "perhaps"}, "field sold"),
    ],
)
def test_a_wrong_item_is_told(north: ServiceClient, change: dict[str, Any], place: str) -> None:
    document = {"listing_id": "1", "version": 1, "title": "boat", "visible_to": ["*"]} | change
    answer = north.ask("PUT", "/v1/items/listing/1", json=document)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["place"]) == (422, "invalid_item", place)


def test_a_deeply_nested_item_is_told(north: ServiceClient) -> None:
    nested = b"[" * 1000 + b"]" * 1000
    content = b'{"version": 1, "visible_to": ["*"], "title": ' + nested + b"}"
    headers = {"Content-Type": "application/json"}
    answer = north.ask("PUT", "/v1/items/listing/1", content=content, headers=headers)
    assert answer.status_code == 422
    error_of(answer)


def test_a_body_over_the_limit_is_refused(north: ServiceClient) -> None:
    for method, path in (("POST", "/v1/search"), ("PUT", "/v1/items/listing/1")):
        answer = north.ask(method, path, json={"title": "x" * MAX_BODY_BYTES})
        assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")


def test_a_body_over_the_limit_is_refused_without_its_length(north: ServiceClient) -> None:
    async def chunks() -> Any:
        for _ in range(MAX_BODY_BYTES // 65_536 + 1):
            yield b"x" * 65_536

    answer = north.ask("POST", "/v1/search", content=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")


def test_a_fault_of_the_service_has_the_same_shape(world: World) -> None:
    def broken(kind: str) -> None:
        raise KeyError("a bug")

    answer = ServiceClient(world.app(release=broken)).ask("POST", "/v1/search", json={"kind": "listing"})
    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal")


def test_an_unavailable_part_has_the_same_shape(world: World) -> None:
    def down(kind: str) -> None:
        raise Unavailable("engine", expected="an answer", got="none", fix="Start it.")

    answer = ServiceClient(world.app(release=down)).ask("POST", "/v1/search", json={"kind": "listing"})
    assert (answer.status_code, error_of(answer)["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/v1/search", "/nowhere"])
def test_a_made_up_method_makes_no_series(empty_world: World, path: str) -> None:
    client = ServiceClient(empty_world.app(), None)
    assert client.ask("MADE-UP", path).status_code in {404, 405}
    figures = client.ask("GET", "/metrics").text
    assert 'method="",route="unknown"' in figures
    assert "MADE-UP" not in figures
