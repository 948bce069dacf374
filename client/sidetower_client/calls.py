"""Calls: which searches can be ranked, and the two searches of the engine that take the place of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
#: The same for what may stand in the URL. Anything that is in none of these lists is not second-guessed.
_FINDING_URL: Final = frozenset(
    {"routing", "preference", "search_pipeline", "search_type", "timeout", "request_timeout", "ignore", "opaque_id"}
    | {"allow_no_indices", "ignore_unavailable", "ignore_throttled", "expand_wildcards", "request_cache"}
    | {"allow_partial_search_results", "max_concurrent_shard_requests", "ccs_minimize_roundtrips", "http_auth"}
    | {"batched_reduce_size", "pre_filter_shard_size", "cancel_after_time_interval", "api_key"}
)
_SHOWING_URL: Final = frozenset(
    {"_source", "_source_includes", "_source_excludes", "stored_fields", "docvalue_fields", "version"}
    | {"seq_no_primary_term", "explain", "typed_keys", "include_named_queries_score"}
)
_PAGING_URL: Final = frozenset({"from", "from_", "size", "track_total_hits"})

#: Full-text queries, and where the text stands in each: under a field, or beside the fields.
_BY_FIELD: Final = frozenset({"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "neural"})
_BESIDE_FIELDS: Final = frozenset({"multi_match", "query_string", "simple_query_string", "combined_fields"})
#: Clauses that find nothing by themselves.
_SILENT: Final = frozenset({"filter", "must_not", "negative"})


@dataclass(frozen=True)
class Call:
    """One call of ``search``."""

    body: Any = None
    index: Any = None
    headers: Any = None
    #: What stands in the URL, whether it was told as ``params`` or by name.
    url: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """The part of the ranking that was asked for."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The place behind the last."""
        return self.start + self.size


def page_of(call: Call, window: int) -> Page | str:
    """The page of a call that can be ranked, else the name of what stands against it.

    Args:
        call: as the host made it.
        window: hits that are ranked.
    """
    body = {} if call.body is None else call.body
    if not isinstance(body, Mapping):
        return "body"
    for told, known in ((body, _FINDING | _SHOWING | _PAGING), (call.url, _FINDING_URL | _SHOWING_URL | _PAGING_URL)):
        strange = sorted(str(name) for name in told if name not in known)
        if strange:
            return strange[0]
    if any("_none_" in str(told.get("stored_fields")) for told in (body, call.url)):
        return "stored_fields"  # hits without their ids
    start = _whole(call.url.get("from_", call.url.get("from", body.get("from", 0))))
    size = _whole(call.url.get("size", body.get("size", 10)))
    if start is None or start >= window:
        return "from"
    if size is None or not 0 < size <= window:
        return "size"
    return Page(start, size)


def window_call(call: Call, page: Page, window: int, id_field: str) -> Call:
    """The search for ids and scores: the whole window, and what of the page is behind it.

    Args:
        call: as the host made it.
        page: of the call.
        window: hits that are ranked.
        id_field: as in `Settings`.
    """
    told = call.body or {}
    body = {name: told[name] for name in told if name in _FINDING or name == "track_total_hits"}
    if isinstance(body.get("ext"), Mapping) and "ubi" in body["ext"]:
        # UBI logs a search for each that names it; the page is the one that is shown.
        body["ext"] = {name: value for name, value in body["ext"].items() if name != "ubi"}
    body |= {"from": 0, "size": max(window, page.end), "_source": [id_field] if id_field else False}
    url = {name: value for name, value in call.url.items() if name in _FINDING_URL or name == "track_total_hits"}
    return Call(body, call.index, call.headers, url)


def page_call(call: Call, hits: Sequence[Mapping[str, Any]]) -> Call:
    """The search for these hits with everything that the host wants to see of them.

    The ids are a post filter, so scores, aggregations and suggestions are those of the host's own query.

    Args:
        call: as the host made it.
        hits: of the window.
    """
    told = call.body or {}
    ids: list[dict[str, Any]] = [{"ids": {"values": [hit["_id"] for hit in hits]}}]
    if "post_filter" in told:
        ids.append(told["post_filter"])
    body = {name: told[name] for name in told if name in _FINDING or name in _SHOWING}
    body |= {"from": 0, "size": len(hits), "track_total_hits": False, "post_filter": {"bool": {"filter": ids}}}
    url = {name: value for name, value in call.url.items() if name in _FINDING_URL or name in _SHOWING_URL}
    return Call(body, call.index, call.headers, url)


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
    elif isinstance(query, list | tuple):
        for one in query:
            yield from _texts(one)


def _text_under(values: Any) -> Iterator[str]:
    for value in values:
        text = value.get("query", value.get("query_text")) if isinstance(value, Mapping) else value
        if isinstance(text, str) and text.strip():
            yield text


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
