"""Filters of requests: what they become, and how wrong ones are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import InvalidQuery
from domain.search import Exists, Filter, Not, Range, Term, Terms
from rerank_service.filters import parse_filters
from tests.service.rerank.world import LISTING

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"term": {"make": "BMW"}}, Term("make", "BMW")),
        ({"term": {"make": 3}}, Term("make", "3")),
        ({"term": {"sold": True}}, Term("sold", True)),
        ({"term": {"price": 9000}}, Term("price", 9000.0)),
        ({"terms": {"make": ["BMW", "MG"]}}, Terms("make", ("BMW", "MG"))),
        ({"range": {"price": {"gte": 1, "lt": 9.5}}}, Range("price", gte=1.0, lt=9.5)),
        ({"range": {"listed": {"gt": "2026-01-01"}}}, Range("listed", gt=NEW_YEAR)),
        ({"range": {"listed": {"lte": "2026-01-01T01:00:00+01:00"}}}, Range("listed", lte=NEW_YEAR)),
        ({"exists": "price"}, Exists("price")),
        ({"not": {"not": {"exists": "price"}}}, Not(Not(Exists("price")))),
    ],
)
def test_a_filter_becomes_the_domains_own(raw: dict[str, Any], expected: Filter) -> None:
    assert parse_filters([raw], LISTING) == (expected,)


@pytest.mark.parametrize(
    ("raw", "place", "expected"),
    [
        ({"term": {"colour": "red"}}, "filters[0].term", "listed, make, price, sold"),
        ({"exists": "tenant"}, "filters[0].exists", "listed, make, price, sold"),
        ({"exists": ["price"]}, "filters[0].exists", "listed, make, price, sold"),
        ({"match": {"make": "BMW"}}, "filters[0]", "term, terms, range, exists, not"),
        ({}, "filters[0]", "an object with one entry"),
        ({"term": {"make": "a"}, "exists": "price"}, "filters[0]", "an object with one entry"),
        ({"term": {"make": "a", "price": 1}}, "filters[0].term", "an object with one entry"),
        ({"term": {"make": None}}, "filters[0].term.make", "a keyword value"),
        ({"term": {"make": ["BMW"]}}, "filters[0].term.make", "a keyword value"),
        ({"term": {"price": "cheap"}}, "filters[0].term.price", "a number"),
        ({"term": {"sold": "perhaps"}}, "filters[0].term.sold", "true or false"),
        ({"terms": {"make": []}}, "filters[0].terms.make", "a list of 1 to 1000 values"),
        ({"terms": {"price": [1, "x"]}}, "filters[0].terms.price[1]", "a number"),
        ({"range": {"make": {"gte": "A"}}}, "filters[0].range.make", "listed, price"),
        ({"range": {"price": {}}}, "filters[0].range.price", "gte, lte, gt, lt"),
        ({"range": {"price": {"from": 1}}}, "filters[0].range.price", "gte, lte, gt, lt"),
        ({"range": {"listed": {"gte": "soon"}}}, "filters[0].range.listed.gte", "ISO 8601"),
        ({"not": {"term": {"colour": 1}}}, "filters[0].not.term", "listed, make, price, sold"),
        ({"not": "price"}, "filters[0].not", "an object with one entry"),
    ],
)
def test_a_wrong_filter_is_told_with_what_is_legal(raw: dict[str, Any], place: str, expected: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_filters([raw], LISTING)
    assert caught.value.place == place
    assert expected in caught.value.expected


def test_filters_nested_too_deep_are_told() -> None:
    raw: dict[str, Any] = {"exists": "price"}
    for _ in range(900):
        raw = {"not": raw}
    with pytest.raises(InvalidQuery, match="not inside not at most 4 times"):
        parse_filters([raw], LISTING)


def test_a_deeply_nested_value_is_told_without_recursion() -> None:
    raw: Any = 1
    for _ in range(900):
        raw = [raw]
    with pytest.raises(InvalidQuery, match="a keyword value"):
        parse_filters([{"term": {"make": raw}}], LISTING)


def test_too_many_filters_are_told() -> None:
    with pytest.raises(InvalidQuery, match="at most 50 filters"):
        parse_filters([{"exists": "price"}] * 51, LISTING)
