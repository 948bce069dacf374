"""Filters of items that no search has filtered hold for exactly the items that the engine finds by them."""

from __future__ import annotations

from typing import Any

import pytest

from domain.search import Query, Scope
from rerank_service.filters import parse_filters
from rerank_service.holding import holds
from tests.service.rerank.world import LISTING, World

FILTERS: list[list[dict[str, Any]]] = [
    [],
    [{"term": {"make": "mg"}}],
    [{"terms": {"make": ["mg", "bmw", "none"]}}],
    [{"term": {"sold": False}}],
    [{"term": {"price": 9000}}],
    [{"term": {"listed": "2026-01-03"}}],
    [{"range": {"price": {"gte": 7000, "lt": 20000}}}],
    [{"range": {"price": {"gt": 7000, "lte": 20000}}}],
    [{"range": {"listed": {"gt": "2026-01-02"}}}],
    [{"exists": "price"}, {"not": {"exists": "sold"}}],
    [{"not": {"not": {"term": {"make": "mg"}}}}],
    [{"not": {"range": {"price": {"lte": 9000}}}}, {"term": {"sold": False}}],
    [{"not": {"term": {"sold": True}}}],
]


@pytest.mark.parametrize("told", FILTERS, ids=str)
def test_they_hold_where_the_engine_finds_it(world: World, told: list[dict[str, Any]]) -> None:
    scope = Scope("north", frozenset({"dealers"}))
    filters = parse_filters(told, LISTING)
    everything = world.engine.search("listing-g1", scope, Query(limit=100))
    found = world.engine.search("listing-g1", scope, Query(filters=filters, limit=100))
    assert [one.key.id for one in everything if holds(filters, one.item)] == [one.key.id for one in found]
    assert found
