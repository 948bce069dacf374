"""Bodies: which searches can be ranked, and the two searches of the cluster that take the place of one.

The rules are those of `sidetower-client`, which knows nobody and is known by nobody; one list of cases holds both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: What decides which documents are found and how they are scored: said in both searches.
_FINDING: Final = frozenset(
    {"query", "post_filter", "min_score", "indices_boost", "timeout", "derived", "ext", "search_pipeline"}
)
#: What a hit, or the answer, is decorated with: said for the page alone.
_SHOWING: Final = frozenset(
    {"_source", "fields", "stored_fields", "docvalue_fields", "script_fields", "highlight", "aggs", "aggregations"}
    | {"suggest", "version", "seq_no_primary_term", "explain"}
)
_PAGING: Final = frozenset({"from", "size", "track_total_hits"})
#: The same for the URL. Anything that is in none of these lists is not second-guessed.
_FINDING_URL: Final = frozenset(
    {"routing", "preference", "search_pipeline", "search_type", "timeout", "request_cache"}
    | {"allow_no_indices", "ignore_unavailable", "ignore_throttled", "expand_wildcards"}
    | {"allow_partial_search_results", "max_concurrent_shard_requests", "ccs_minimize_roundtrips"}
    | {"batched_reduce_size", "pre_filter_shard_size", "cancel_after_time_interval"}
)
_SHOWING_URL: Final = frozenset(
    {"_source", "_source_includes", "_source_excludes", "stored_fields", "docvalue_fields", "version"}
    | {"seq_no_primary_term", "explain", "typed_keys", "include_named_queries_score"}
)

#: Full-text queries, and where the text stands in each: under a field, or beside the fields.
_BY_FIELD: Final = frozenset({"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "neural"})
_BESIDE_FIELDS: Final = frozenset({"multi_match", "query_string", "simple_query_string", "combined_fields"})
#: Clauses that find nothing by themselves.
_SILENT: Final = frozenset({"filter", "must_not", "negative"})
#: Queries that may hold `inner_hits`.
_JOINING: Final = frozenset({"nested", "has_child", "has_parent"})


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a caller."""

    body: Mapping[str, Any]
    #: What stands in the URL.
    url: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """The part of the ranking that was asked for."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The place behind the last."""
        return self.start + self.size


def page_of(search: Search, window: int) -> Page | str:
    """The page of a search that can be ranked, else the name of what stands against it.

    Args:
        search: as the caller wrote it.
        window: hits that are ranked.
    """
    body, url = search.body, search.url
    for told, known in ((body, _FINDING | _SHOWING | _PAGING), (url, _FINDING_URL | _SHOWING_URL | _PAGING)):
        strange = sorted(name for name in told if name not in known)
        if strange:
            return strange[0]
    if any("_none_" in str(told.get("stored_fields")) for told in (body, url)):
        return "stored_fields"  # hits without their ids
    start = _whole(url.get("from", body.get("from", 0)))
    size = _whole(url.get("size", body.get("size", 10)))
    if start is None or start >= window:
        return "from"
    if size is None or not 0 < size <= window:
        return "size"
    return Page(start, size)


def window_search(search: Search, page: Page, window: int, id_field: str) -> Search:
    """The search for ids and scores: the whole window, and what of the page is behind it.

    Args:
        search: as the caller wrote it.
        page: of the search.
        window: hits that are ranked.
        id_field: as in `Target`.
    """
    told = search.body
    body = {name: told[name] for name in told if name in _FINDING or name == "track_total_hits"}
    if "query" in body:
        body["query"] = _without_inner_hits(body["query"])
    if isinstance(body.get("ext"), Mapping) and "ubi" in body["ext"]:
        # UBI logs a search for each that names it; the page is the one that is shown.
        body["ext"] = {name: value for name, value in body["ext"].items() if name != "ubi"}
    body |= {"from": 0, "size": max(window, page.end), "_source": [id_field] if id_field else False}
    return Search(body, {name: v for name, v in search.url.items() if name in _FINDING_URL | {"track_total_hits"}})


def page_search(search: Search, hits: Sequence[Mapping[str, Any]]) -> Search:
    """The search for these hits with everything that the caller wants to see of them.

    The ids are a post filter, so scores, aggregations and suggestions are those of the caller's own query.

    Args:
        search: as the caller wrote it.
        hits: of the window.
    """
    told = search.body
    ids: list[Any] = [{"ids": {"values": [hit["_id"] for hit in hits]}}]
    if "post_filter" in told:
        ids.append(told["post_filter"])
    body = {name: told[name] for name in told if name in _FINDING or name in _SHOWING}
    body |= {"from": 0, "size": len(hits), "track_total_hits": False, "post_filter": {"bool": {"filter": ids}}}
    return Search(body, {name: v for name, v in search.url.items() if name in _FINDING_URL | _SHOWING_URL})


def text_of(query: Any) -> str:
    """The one text that a query looks for; empty when there is none, or several that differ."""
    found = list(dict.fromkeys(text.strip() for text in _texts(query)))
    return found[0] if len(found) == 1 else ""


def _texts(query: Any) -> Iterator[str]:
    if isinstance(query, Mapping):
        for name, value in query.items():
            if name in _SILENT:
                continue
            if name in _BY_FIELD and isinstance(value, Mapping):
                yield from _text_under(value.values())
            elif name in _BESIDE_FIELDS and isinstance(value, Mapping):
                yield from _text_under([value])
            else:
                yield from _texts(value)
    elif isinstance(query, list):
        for one in query:
            yield from _texts(one)


def _text_under(values: Any) -> Iterator[str]:
    for value in values:
        text = value.get("query", value.get("query_text")) if isinstance(value, Mapping) else value
        if isinstance(text, str) and text.strip():
            yield text


def _without_inner_hits(query: Any) -> Any:
    """The query, joining clauses without their inner hits: they decorate, at the price of a search for each hit."""
    if isinstance(query, Mapping):
        found = {}
        for name, value in query.items():
            kept = value
            if name in _JOINING and isinstance(value, Mapping) and "query" in value:
                kept = {key: one for key, one in value.items() if key != "inner_hits"}
            found[name] = _without_inner_hits(kept)
        return found
    return [_without_inner_hits(one) for one in query] if isinstance(query, list) else query


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
