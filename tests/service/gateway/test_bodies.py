"""Which searches the gateway ranks, the two searches in place of one, and what `ext.sidetower` says."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from rerank_service.gateway.asked import MAX_BODY_BYTES, Told, request_of, taken_apart
from rerank_service.gateway.bodies import Page, Search, page_of, page_search, text_of, window_search
from rerank_service.gateway.outcome import OwnSearch
from rerank_service.gateway.targets import Target, target_of
from rerank_service.request import PastEvent
from tests.service.rerank.world import KINDS
from tests.support.search_cases import MATCH, PAGES, TEXTS

CARS = Target("listing", "north")


@pytest.mark.parametrize(("query", "text"), TEXTS)
def test_the_one_text_that_a_query_looks_for(query: Any, text: str) -> None:
    assert text_of(query) == text


@pytest.mark.parametrize(("body", "url", "page"), PAGES)
def test_the_page_that_is_asked_for(body: dict[str, Any], url: dict[str, str], page: tuple[int, int] | str) -> None:
    assert page_of(Search(body, url), 200) == (page if isinstance(page, str) else Page(*page))


def test_the_search_for_the_window() -> None:
    inner: dict[str, Any] = {"path": "extras", "query": {"term": {"inner_hits": "x"}}}
    joined: dict[str, Any] = {"bool": {"must": MATCH, "should": [{"nested": {**inner, "inner_hits": {"size": 3}}}]}}
    body = {"query": joined, "aggs": {}, "ext": {"ubi": {}, "rerank": {}}, "post_filter": {"term": {"make": "bmw"}}}
    url = {"routing": "a", "_source": "title", "track_total_hits": "false", "from": "195", "size": "10"}
    assert window_search(Search(body, url), Page(195, 10), 200, "listing.id") == Search(
        {
            # Inner hits decorate; a search for each of 200 hits would be a high price.
            "query": {"bool": {"must": MATCH, "should": [{"nested": inner}]}},
            "post_filter": {"term": {"make": "bmw"}},
            # A search is logged once, for the page that is shown.
            "ext": {"rerank": {}},
            "from": 0,
            "size": 205,
            "_source": ["listing.id"],
        },
        {"routing": "a", "track_total_hits": "false"},
    )
    assert body["query"] is joined
    assert "inner_hits" in joined["bool"]["should"][0]["nested"], "the caller's body is left alone"


def test_the_search_for_the_page() -> None:
    body = {"query": MATCH, "aggs": {}, "ext": {"ubi": {}}, "post_filter": {"term": {"make": "bmw"}}, "from": 30}
    url = {"routing": "a", "_source": "title", "track_total_hits": "false", "from": "195", "size": "10"}
    assert page_search(Search(body, url), [{"_id": "7"}, {"_id": "3"}]) == Search(
        {
            "query": MATCH,
            "aggs": {},
            "ext": {"ubi": {}},
            "from": 0,
            "size": 2,
            "track_total_hits": False,
            "post_filter": {"bool": {"filter": [{"ids": {"values": ["7", "3"]}}, {"term": {"make": "bmw"}}]}},
        },
        {"routing": "a", "_source": "title"},
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", Told({}, None, b"")),
        (b'{"size":1}', Told({"size": 1}, None, b'{"size":1}')),
        (b'{"ext":{"sidetower":{"user":"u"}},"size":1}', Told({"size": 1}, {"user": "u"}, b'{"size":1}')),
        (b'{"ext":{"ubi":{},"sidetower":7}}', Told({"ext": {"ubi": {}}}, 7, b'{"ext":{"ubi":{}}}')),
        # Beyond 64 bits, and as precise as it came.
        (
            b'{"min_score":1e-7,"ext":{"sidetower":{}},"a":123456789012345678901}',
            Told({"min_score": 1e-7, "a": 123456789012345678901}, {}, b'{"min_score":1e-07,"a":123456789012345678901}'),
        ),
        (
            b'{"ext":{"sidetower":{}},"size":1,"size":2}',
            Told(None, None, b'{"ext":{"sidetower":{}},"size":1,"size":2}'),
        ),
        (b'["ext"]', Told(None, None, b'["ext"]')),
        (b'{"size":', Told(None, None, b'{"size":')),
        (b"\xff", Told(None, None, b"\xff")),
        (b"[" * 200_000, Told(None, None, b"[" * 200_000)),
    ],
    ids=["nothing", "no ext", "ext", "another ext", "numbers", "a key twice", "a list", "half", "no UTF-8", "deep"],
)
def test_a_body_is_taken_apart(content: bytes, told: Told) -> None:
    assert taken_apart(content, b"") == told


def test_a_compressed_body_is_taken_apart_up_to_its_limit() -> None:
    told = taken_apart(gzip.compress(b'{"ext":{"sidetower":{"user":"u"}},"size":1}'), b"gzip")
    assert told == Told({"size": 1}, {"user": "u"}, b'{"size":1}')
    for content in (gzip.compress(b" " * (MAX_BODY_BYTES + 1)), gzip.compress(b"{}")[:-1], b"{}"):
        assert taken_apart(content, b"gzip") == Told(None, None, content)
    assert taken_apart(b"{}", b"br").body is None


def test_who_asks_is_read_as_a_rerank_reads_it() -> None:
    event = {"kind": "article", "id": 7, "action": "view", "timestamp": 5.5}
    person = {"user": "u1", "history": [event], "audiences": ["dealers"], "weight": 0.5, "deadline_ms": 50}
    request = request_of({**person, "explain": True}, CARS, {"match": {"title": "red car"}}, KINDS, 100.0)
    assert (request.kind, request.scope.tenant, request.scope.audiences) == ("listing", "north", frozenset({"dealers"}))
    assert (request.text, request.user, request.weight, request.deadline.seconds) == ("red car", "u1", 0.5, 0.05)
    assert request.history == (PastEvent("article", "7", "view", 5.5),)
    assert request.explain
    told = request_of({"query": "blue", "tenant": "south"}, CARS, MATCH, KINDS, 0.0)
    assert (told.text, told.scope.tenant) == ("blue", "south")


@pytest.mark.parametrize(
    ("person", "target", "detail"),
    [
        ("u1", CARS, "ext.sidetower: expected a JSON object, got 'u1'."),
        ({"usr": "u1"}, CARS, "ext.sidetower.usr: expected no such field"),
        ({"weight": 7}, CARS, "ext.sidetower.weight: expected less than or equal to 1, got 7."),
        ({"history": [{"kind": "listing"}]}, CARS, "ext.sidetower.history[0].id: expected a value"),
        ({"tenant": "\x07"}, CARS, "ext.sidetower.tenant: expected 1 to 64 bytes of printable UTF-8, got '\\x07'."),
        ({}, Target("listing"), "ext.sidetower.tenant: expected 1 to 64 bytes of printable UTF-8, got nothing."),
        ({"kind": "bicycle"}, CARS, "kind: expected one of: article, listing, got 'bicycle'."),
    ],
)
def test_what_is_wrong_with_it_is_told(person: Any, target: Target, detail: str) -> None:
    with pytest.raises(OwnSearch) as own:
        request_of(person, target, MATCH, KINDS, 0.0)
    assert (own.value.header, own.value.value) == ("x-sidetower-degraded", "refused")
    assert detail in own.value.detail


def test_details_are_headers_of_visible_characters() -> None:
    [_, (name, value)] = OwnSearch(
        "x-sidetower-degraded", "refused", "Zo\u00eb said:\r\nSet-Cookie: " + "x" * 999
    ).headers()
    assert name == b"x-sidetower-detail"
    assert value.startswith(b"Zo? said:  Set-Cookie: xxx")
    assert len(value) == 400


@pytest.mark.parametrize(
    ("expression", "target"),
    [
        ("cars", "cars"),
        ("cars-2026", "cars-*"),
        ("cars-*", "cars-*"),
        ("cars-1,cars-2", "cars-*"),
        ("", "_all"),
        ("_all", "_all"),
        ("carsx", None),
        ("cars,cars-1", None),
        ("cars-1,other", None),
        ("cars-*,-cars-1", None),
        ("*", None),
        ("xcars-1", None),
        ("cars.", None),
    ],
)
def test_what_an_index_is(expression: str, target: str | None) -> None:
    targets = {name: Target(f"kind of {name}") for name in ("cars", "cars-*", "_all")}
    assert target_of(expression, targets) == (targets[target] if target else None)
