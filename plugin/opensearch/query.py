"""Search bodies: from scope and query to what OpenSearch is asked, one body for each leg."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from domain.errors import InvalidQuery
from domain.items import FilterValue, ItemKey
from domain.releases import Generation
from domain.search import LEG_DEPTH, Filter, Not, Query, QueryVector, Range, Scope, Term, Terms
from domain.versions import VectorState

#: Lucene refuses a query of more than 1,024 clauses (`indices.query.bool.max_clause_count`): words times fields.
_MAX_CLAUSES: Final = 1_000
#: What the analyzer takes for a word, near enough to count and cut long texts.
_WORD: Final = re.compile(r"[^\W_]+")

_BY_SCORE: Final = [{"_score": "desc"}, {"id": "asc"}]
_BY_ID: Final = [{"id": "asc"}]
_BY_KEY: Final = [{"tenant": "asc"}, {"id": "asc"}]


def text_leg(generation: Generation, scope: Scope, query: Query, size: int) -> dict[str, Any]:
    """The items that hold any word of the text, by BM25 summed over the weighted fields."""
    weights = generation.text_weights
    match = {
        "query": _shortened(query.text, _MAX_CLAUSES // len(weights)),
        "type": "most_fields",
        "operator": "or",
        "fields": [f"text.{name}^{weight:g}" for name, weight in weights.items()],
    }
    return _body({"bool": {"must": [{"multi_match": match}], **_walls(generation, scope, query)}}, size, _BY_SCORE)


def vector_leg(generation: Generation, scope: Scope, query: Query, vector: QueryVector, size: int) -> dict[str, Any]:
    """The ready items of the vector's space, by inner product; the walls stand inside the k-NN search."""
    walls = _walls(generation, scope, query)
    walls["filter"] += [{"term": {"vector_state": VectorState.READY.value}}, {"term": {"space": vector.space}}]
    nearest = {"vector": vector.values, "k": max(size, LEG_DEPTH), "filter": {"bool": walls}}
    return _body({"knn": {"vector": nearest}}, size, _BY_SCORE)


def filter_leg(generation: Generation, scope: Scope, query: Query, size: int) -> dict[str, Any]:
    """Everything that passes the filters, by id."""
    return _body({"bool": _walls(generation, scope, query)}, size, _BY_ID)


def scan_body(after: ItemKey | None, limit: int, state: VectorState | None, outside: str) -> dict[str, Any]:
    """The next documents in key order, tombstones included."""
    kept: list[dict[str, Any]] = [{"term": {"vector_state": state.value}}] if state else []
    if outside:
        kept += [{"exists": {"field": "space"}}, {"bool": {"must_not": [{"term": {"space": outside}}]}}]
    query = {"bool": {"filter": kept}} if kept else {"match_all": {}}
    body = _body(query, limit, _BY_KEY)
    if after is not None:
        body["search_after"] = [after.tenant, after.id]
    return body


def tombstones_body(removed_before: float, limit: int) -> dict[str, Any]:
    """The oldest tombstones written before this time, each with what a delete must present."""
    old = [
        {"term": {"vector_state": VectorState.REMOVED.value}},
        {"range": {"written_at": {"lt": removed_before}}},
    ]
    return {
        "query": {"bool": {"filter": old}},
        "size": limit,
        "sort": [{"written_at": "asc"}],
        "seq_no_primary_term": True,
        "_source": False,
        "track_total_hits": False,
    }


def counts_body(after: dict[str, Any] | None, size: int, since: float = math.inf) -> dict[str, Any]:
    """How many documents each tenant has in each state, and with a vector since a moment, one page of tenants."""
    pending = {"term": {"vector_state": VectorState.PENDING.value}}
    tenants: dict[str, Any] = {"size": size, "sources": [{"tenant": {"terms": {"field": "tenant"}}}]}
    if after is not None:
        tenants["after"] = after
    states = {
        "pending": {"filter": pending, "aggs": {"oldest": {"min": {"field": "written_at"}}}},
        "removed": {"filter": {"term": {"vector_state": VectorState.REMOVED.value}}},
    }
    if math.isfinite(since):
        recent = [{"term": {"vector_state": VectorState.READY.value}}, {"range": {"written_at": {"gte": since}}}]
        states["recent"] = {"filter": {"bool": {"filter": recent}}}
    return {"size": 0, "track_total_hits": False, "aggs": {"tenants": {"composite": tenants, "aggs": states}}}


def inner_product(score: float) -> float:
    """The inner product behind a score of Lucene's ``innerproduct`` space: 1 + p, or 1 / (1 - p) when p < 0."""
    return score - 1 if score >= 1 else 1 - 1 / score


def _body(query: dict[str, Any], size: int, sort: list[dict[str, str]]) -> dict[str, Any]:
    return {"query": query, "size": size, "sort": sort, "version": True, "track_total_hits": False}


def _walls(generation: Generation, scope: Scope, query: Query) -> dict[str, Any]:
    """Tenant, audience, filters; no tombstone, nothing excluded."""
    refused: list[dict[str, Any]] = [{"term": {"vector_state": VectorState.REMOVED.value}}]
    if query.exclude:
        refused.append({"terms": {"id": list(query.exclude)}})
    asked = [_clause(one, generation) for one in query.filters]
    scoped = [{"term": {"tenant": scope.tenant}}, {"terms": {"audience": list(scope.groups())}}]
    return {"filter": [*scoped, *asked], "must_not": refused}


def _clause(one: Filter, generation: Generation) -> dict[str, Any]:
    if isinstance(one, Not):
        return {"bool": {"must_not": [_clause(one.filter, generation)]}}
    kind = generation.filter_types.get(one.field)
    if kind is None:
        known = ", ".join(generation.filter_types) or "no field at all"
        raise InvalidQuery(f"filter {one.field}", expected=known, got=one.field, fix="Declare it under filter.")
    path = f"filter.{one.field}"
    if isinstance(one, Term):
        return {"term": {path: _checked(one.value, one.field, kind)}}
    if isinstance(one, Terms):
        return {"terms": {path: [_checked(value, one.field, kind) for value in one.values]}}
    if isinstance(one, Range):
        return {"range": {path: _bounds(one, kind)}}
    return {"exists": {"field": path}}


def _bounds(one: Range, kind: str) -> dict[str, float]:
    bounds = {name: getattr(one, name) for name in ("gte", "lte", "gt", "lt")}
    given = {name: value for name, value in bounds.items() if value is not None}
    if not given or kind not in ("number", "date"):
        got = f"a {kind} field with {len(given)} bounds"
        fix = "Give a bound, or filter by value."
        raise InvalidQuery(
            f"range of {one.field}", expected="a number or date field, 1 bound or more", got=got, fix=fix
        )
    return given


def _checked(value: FilterValue, name: str, kind: str) -> FilterValue:
    fitting = {"keyword": str, "boolean": bool}.get(kind, int | float)
    if not isinstance(value, fitting) or (kind in ("number", "date") and isinstance(value, bool)):
        raise InvalidQuery(f"filter {name}", expected=f"a {kind}", got=repr(value)[:120], fix="Send it as that type.")
    return value


def _shortened(text: str, words: int) -> str:
    """The text up to so many words; a whole letter as a query must not be refused, nor half an emoji at its end."""
    text = text.encode("utf-8", "ignore").decode()
    for number, found in enumerate(_WORD.finditer(text), start=1):
        if number == words:
            return text[: found.end()]
    return text
