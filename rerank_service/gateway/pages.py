"""Pages: the hits of a window in the ranking's order, and the cluster's answer in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rerank_service.gateway.bodies import Page
from rerank_service.gateway.outcome import Trouble, degraded
from rerank_service.ranking import Ranked
from rerank_service.request import Offered
from rerank_service.rerank_bodies import rank_scores


def offered(hits: Sequence[Mapping[str, Any]], id_field: str) -> tuple[Offered, ...]:
    """The hits as the ranking core takes them.

    Args:
        hits: of the cluster, each with `_id` and `_score`.
        id_field: as in `Target`.

    Raises:
        OwnSearch: not every hit has an id of its own.
    """
    own: list[str] = [hit["_id"] for hit in hits]
    ids = [_id_in(hit, id_field) for hit in hits] if id_field else own
    if len(set(ids)) < len(ids) or len(set(own)) < len(own):
        raise degraded(Trouble.AMBIGUOUS_IDS, "two hits have one id; search one index, or name another id_field")
    scores = [hit["_score"] for hit in hits]
    if None in scores:
        scores = rank_scores(len(hits))
    return tuple(Offered(one, score) for one, score in zip(ids, scores, strict=True))


def in_order(hits: Sequence[Mapping[str, Any]], ranked: Ranked, page: Page, *, explain: bool) -> list[dict[str, Any]]:
    """The ranking to the end of the page: `_index`, `_id`, `_score` and `_sidetower` of each hit.

    Args:
        hits: of the window, perhaps with more behind it, which follow in the cluster's order.
        ranked: the window.
        page: how far the ranking is needed.
        explain: whether it is told how each score came about.
    """
    shown = []
    for place in ranked.order[: page.end]:
        hit = _hit(hits[place], place, ranked.scores[place])
        if explain:
            hit["_sidetower"] |= {"parts": ranked.told_parts(place), "contributions": ranked.told_shares(place)}
        shown.append(hit)
    window = len(ranked.order)
    shown += [_hit(hit, place, hit["_score"] or 0.0) for place, hit in enumerate(hits[window : page.end], window)]
    # A hit that could not be compared keeps its place with whatever score it has; nobody who sorts by score again is to
    # get another order.
    for before, hit in pairwise(shown):
        hit["_score"] = min(hit["_score"], before["_score"])
    return shown


def merged(
    found: Mapping[str, Any],
    window: Mapping[str, Any],
    ranking: Sequence[Mapping[str, Any]],
    page: Page,
) -> dict[str, Any]:
    """The cluster's answer to the search for the page, its hits in the ranking's order.

    Args:
        found: that answer.
        window: the answer to the search for the window, which knows the total.
        ranking: to the end of the page.
        page: that is shown.

    Raises:
        OwnSearch: a hit is gone since the window was retrieved.
    """
    shown = ranking[page.start :]
    by_key = {(hit["_index"], hit["_id"]): hit for hit in found["hits"]["hits"]}
    missing = [hit["_id"] for hit in shown if (hit["_index"], hit["_id"]) not in by_key]
    if missing:
        raise degraded(Trouble.PAGE_CHANGED, f"gone between two searches: {', '.join(missing)}")
    hits = [{**by_key[hit["_index"], hit["_id"]], **hit} for hit in shown]
    total = {"total": window["hits"]["total"]} if "total" in window["hits"] else {}
    return {
        **found,
        "timed_out": bool(window.get("timed_out") or found.get("timed_out")),
        "hits": {**total, **found["hits"], "max_score": ranking[0]["_score"], "hits": hits},
    }


def _hit(hit: Mapping[str, Any], place: int, score: float) -> dict[str, Any]:
    told = {"engine_rank": place + 1, "engine_score": hit["_score"]}
    return {"_index": hit["_index"], "_id": hit["_id"], "_score": score, "_sidetower": told}


def _id_in(hit: Mapping[str, Any], id_field: str) -> str:
    value: Any = hit.get("_source")
    for step in id_field.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise degraded(Trouble.IDS_MISSING, f"hit {hit['_id']} has no id in its field {id_field}")
    return str(value)
