"""Which searches can be ranked, what the person typed in them, and what `wrap` refuses."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import OpenSearch

import sidetower_client
from sidetower_client.calls import Call, Page, page_call, page_of, text_of, window_call
from tests.support.search_cases import MATCH, PAGES, TEXTS


@pytest.mark.parametrize(("query", "text"), TEXTS)
def test_the_one_text_that_a_query_looks_for(query: Any, text: str) -> None:
    assert text_of(query) == text


@pytest.mark.parametrize(
    ("body", "url", "page"),
    [
        *PAGES,
        (None, {}, (0, 10)),
        ({"from": 5, "size": 20}, {"from_": "7", "size": 3}, (7, 3)),
        ("{}", {}, "body"),
        (b"{}", {}, "body"),
    ],
)
def test_the_page_that_is_asked_for(body: Any, url: dict[str, Any], page: tuple[int, int] | str) -> None:
    assert page_of(Call(body, url=url), 200) == (page if isinstance(page, str) else Page(*page))


def test_the_search_for_the_window() -> None:
    body = {"query": MATCH, "aggs": {}, "ext": {"ubi": {}, "rerank": {}}, "post_filter": {"term": {"make": "bmw"}}}
    url = {"routing": "a", "_source": "title", "track_total_hits": False, "from_": 195, "size": 10}
    call = window_call(Call(body, "cars", {"x": "y"}, url), Page(195, 10), 200, "listing.id")
    assert call == Call(
        {
            "query": MATCH,
            "post_filter": {"term": {"make": "bmw"}},
            # A search is logged once, for the page that is shown.
            "ext": {"rerank": {}},
            "from": 0,
            "size": 205,
            "_source": ["listing.id"],
        },
        "cars",
        {"x": "y"},
        {"routing": "a", "track_total_hits": False},
    )
    assert body["ext"] == {"ubi": {}, "rerank": {}}, "the host's body is left alone"


def test_the_search_for_the_page() -> None:
    body = {"query": MATCH, "aggs": {}, "ext": {"ubi": {}}, "post_filter": {"term": {"make": "bmw"}}, "from": 30}
    url = {"routing": "a", "_source": "title", "track_total_hits": False, "from_": 195, "size": 10}
    call = page_call(Call(body, "cars", None, url), [{"_id": "7"}, {"_id": "3"}])
    assert call == Call(
        {
            "query": MATCH,
            "aggs": {},
            "ext": {"ubi": {}},
            "from": 0,
            "size": 2,
            "track_total_hits": False,
            "post_filter": {"bool": {"filter": [{"ids": {"values": ["7", "3"]}}, {"term": {"make": "bmw"}}]}},
        },
        "cars",
        None,
        {"routing": "a", "_source": "title"},
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "localhost:8080"}, r"wrap\(url=...\): expected an address like .*, got localhost:8080"),
        ({"url": "redis://localhost"}, "expected an address"),
        ({"tenant": ""}, r"wrap\(tenant=...\): expected the name"),
        ({"kind": ""}, r"wrap\(kind=...\): expected the name"),
        ({"window": 0}, "expected 1 to 1000, got 0"),
        ({"window": 1_001}, "expected 1 to 1000, got 1001"),
        ({"deadline_ms": 10_001}, "expected 1 to 10000, got 10001"),
    ],
)
def test_wrong_settings_are_told_at_once(change: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"url": "http://127.0.0.1:8080", "tenant": "north", "kind": "listing", **change}
    with OpenSearch(["http://127.0.0.1:9200"]) as client, pytest.raises(ValueError, match=message):
        sidetower_client.wrap(client, **settings)
