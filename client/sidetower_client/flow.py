"""The flow of one ranked search, free of waiting: it names each step, and whoever drives it says how the step went."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidetower_client.answers import CannotRankError, Ranking, checked, marked, merged
from sidetower_client.calls import Call, Page, page_call, page_of, text_of, window_call
from sidetower_client.settings import Options, Settings

_LOG = logging.getLogger("sidetower_client")
#: Share of the deadline that the service is given, so that its own answer in the engine's order still comes in time.
_SERVICE_SHARE: Final = 0.8
#: Beyond what the service takes of a query.
_QUERY_CHARACTERS: Final = 1_000


@dataclass(frozen=True)
class Rerank:
    """A request to the service."""

    body: bytes
    #: Value of the tenant header.
    tenant: str
    #: What it may take in all.
    seconds: float


Flow = Generator["Call | Rerank", Any, Any]


def search_flow(call: Call, settings: Settings, options: Options) -> Flow:
    """The steps of a search; its value is what the caller gets.

    A `Call` step wants the engine's answer, a `Rerank` step the service's, decoded; a step that fails is told by
    raising here. The only exception that leaves the flow is one of the host's own call.

    Args:
        call: as the host made it.
        settings: of the wrapped client.
        options: of this search.
    """
    page = page_of(call, settings.window)
    if isinstance(page, str):
        return marked((yield call), passed_through=page)
    if options.get("weight") == 0:
        return marked((yield call), ranked_by="engine")
    try:
        answer = yield from _ranked(call, page, settings, options)
    except CannotRankError as error:
        trouble = error
    except Exception as error:
        # Whatever goes wrong beside the host's own search: that search is answered.
        trouble = CannotRankError("client_failed", f"{type(error).__name__}: {error}")
    else:
        if not isinstance(answer, Ranking):
            return answer
        return marked((yield call), **answer.marker)
    _LOG.warning("search answered in the engine's order, %s: %s", trouble.reason, trouble.detail)
    return marked((yield call), degraded=trouble.reason)


def _ranked(call: Call, page: Page, settings: Settings, options: Options) -> Flow:
    """The steps up to the page in our order; a `Ranking` where the engine's own order is to be answered."""
    began = time.monotonic()
    window = yield from _step(window_call(call, page, settings.window, settings.id_field), "window_failed")
    hits = window["hits"]["hits"]
    if page.start >= len(hits):
        return Ranking((), {"ranked_by": "engine"})
    told = yield _rerank(call, hits[: settings.window], page, settings, options)
    ranking = checked(told, hits, page, settings.window)
    if ranking.in_engine_order:
        return ranking
    shown = ranking.hits[page.start : page.end]
    found = yield from _step(page_call(call, shown), "page_failed")
    return merged(found, window, shown, ranking, milliseconds=1000 * (time.monotonic() - began))


def _step(call: Call, reason: str) -> Flow:
    try:
        return (yield call)
    except Exception as error:
        raise CannotRankError(reason, f"{type(error).__name__}: {error}") from error


def _rerank(call: Call, hits: list[dict[str, Any]], page: Page, settings: Settings, options: Options) -> Rerank:
    told: dict[str, Any] = dict(options)
    tenant = told.pop("tenant", settings.tenant)
    deadline_ms = told.pop("deadline_ms", settings.deadline_ms)
    query = told.pop("query", None)
    if query is None:
        query = text_of((call.body or {}).get("query"))
    body = {
        "kind": settings.kind,
        **told,
        "query": query[:_QUERY_CHARACTERS],
        "deadline_ms": max(1, round(_SERVICE_SHARE * deadline_ms)),
        "candidates": _candidates(hits, settings.id_field),
        "limit": min(len(hits), page.end),
    }
    return Rerank(json.dumps(body, separators=(",", ":"), allow_nan=False).encode(), tenant, deadline_ms / 1000)


def _candidates(hits: list[dict[str, Any]], id_field: str) -> list[dict[str, Any]]:
    ids = [_id_of(hit, id_field) for hit in hits]
    if len({str(one) for one in ids}) < len(ids) or len({hit["_id"] for hit in hits}) < len(hits):
        raise CannotRankError("ambiguous_ids", "two hits have one id; search one index, or name another id_field")
    if any(hit["_score"] is None for hit in hits):
        return [{"id": one} for one in ids]
    return [{"id": one, "score": hit["_score"]} for one, hit in zip(ids, hits, strict=True)]


def _id_of(hit: Mapping[str, Any], id_field: str) -> str | int:
    value: Any = hit["_id"]
    if id_field:
        value = hit.get("_source")
        for step in id_field.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise CannotRankError("ids_missing", f"hit {hit['_id']} has no id in its field {id_field}")
    return value
