"""Answers: what the service told, checked, and the engine's answer in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sidetower_client.calls import Page


class CannotRankError(Exception):
    """The engine's order has to be answered.

    Args:
        reason: as the answer's `degraded` tells it.
        detail: for the log.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Ranking:
    """A ranking from its first hit to the end of the page."""

    #: Each with `_index`, `_id`, the `_score` it is shown with and `_sidetower`.
    hits: Sequence[dict[str, Any]]
    #: What the answer says of itself.
    marker: dict[str, Any]

    @property
    def in_engine_order(self) -> bool:
        """Whether the host's own search is the answer."""
        return self.marker.get("ranked_by") in ("engine", None)


def checked(told: Any, hits: Sequence[dict[str, Any]], page: Page, window: int) -> Ranking:
    """The service's answer as a ranking.

    Args:
        told: the decoded answer.
        hits: of the engine; those behind the window follow in the engine's order.
        page: how far the ranking is needed.
        window: hits that were ranked.

    Raises:
        CannotRankError: it is no such answer.
    """
    offered = hits[:window]
    try:
        results = told["results"]
        places = [result["index"] for result in results]
        scores = [float(result["score"]) for result in results]
        marker = {name: told[name] for name in ("ranked_by", "degraded", "rank_id", "history_used")}
    except (TypeError, KeyError, ValueError) as error:
        raise CannotRankError("service_failed", f"an answer of another shape: {error!r}") from error
    wanted = min(len(offered), page.end)
    if len(set(places)) != wanted or len(places) != wanted or not set(places) <= set(range(len(offered))):
        raise CannotRankError("service_failed", f"not every candidate once: {places}")
    shown = [_hit(offered[place], place, score) for place, score in zip(places, scores, strict=True)]
    for hit, result in zip(shown, results, strict=True):
        if "parts" in result:
            hit["_sidetower"]["parts"] = result["parts"]
    shown += [_hit(hit, place, hit["_score"] or 0.0) for place, hit in enumerate(hits[window : page.end], window)]
    # A hit that could not be compared keeps its place with whatever score it has; nobody who sorts by score again is to
    # get another order.
    for before, hit in pairwise(shown):
        hit["_score"] = min(hit["_score"], before["_score"])
    return Ranking(shown, marker)


def merged(
    found: Mapping[str, Any],
    window: Mapping[str, Any],
    shown: Sequence[Mapping[str, Any]],
    ranking: Ranking,
    milliseconds: float,
) -> dict[str, Any]:
    """The engine's answer, its hits in our order.

    Args:
        found: the engine's answer to the search for the page.
        window: its answer to the search for the window, which knows the total.
        shown: hits of the page.
        ranking: that they come from.
        milliseconds: since the search began.

    Raises:
        CannotRankError: a hit is gone since the window was retrieved.
    """
    by_key = {(hit["_index"], hit["_id"]): hit for hit in found["hits"]["hits"]}
    missing = [hit["_id"] for hit in shown if (hit["_index"], hit["_id"]) not in by_key]
    if missing:
        raise CannotRankError("page_changed", f"gone between two searches: {', '.join(missing)[:200]}")
    hits = [{**by_key[hit["_index"], hit["_id"]], **hit} for hit in shown]
    total = {"total": window["hits"]["total"]} if "total" in window["hits"] else {}
    answer: dict[str, Any] = {
        **found,
        "took": round(milliseconds),
        "timed_out": bool(window.get("timed_out") or found.get("timed_out")),
        "hits": {**total, **found["hits"], "max_score": ranking.hits[0]["_score"], "hits": hits},
    }
    return {**answer, "ext": _ext(answer, ranking.marker)}


def marked(answer: Any, **marker: Any) -> Any:
    """The answer with what became of it under ``ext.sidetower``; anything but an answer of hits as it is."""
    if not isinstance(answer, dict) or "hits" not in answer:
        return answer
    return {**answer, "ext": _ext(answer, marker)}


def _ext(answer: Mapping[str, Any], marker: Mapping[str, Any]) -> dict[str, Any]:
    return {**answer.get("ext", {}), "sidetower": {"ranked_by": None, "degraded": None, **marker}}


def _hit(hit: Mapping[str, Any], place: int, score: float) -> dict[str, Any]:
    told = {"engine_rank": place + 1, "engine_score": hit["_score"]}
    return {"_index": hit["_index"], "_id": hit["_id"], "_score": score, "_sidetower": told}
