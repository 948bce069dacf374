"""Search and similar items over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from domain.catalogue import Kind
from domain.search import Hit
from rerank_service import examples
from rerank_service.addressing import PathInUtf8, Tenant
from rerank_service.bodies import SearchBody, SimilarBody, SimilarQuery, key_of
from rerank_service.engine_pool import EnginePool
from rerank_service.error_answers import json_answer
from rerank_service.feed_bodies import RecommendBody, SuggestBody
from rerank_service.feeds import Feeds
from rerank_service.json_route import JsonRoute
from rerank_service.pages import Pages
from rerank_service.request import Answer
from rerank_service.searches import Searches
from rerank_service.snapshot import kind_of
from rerank_service.suggestions import Suggestions


def search_routes(pages: Pages, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The route of searches."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"])

    @router.post("/search", summary="Search, ranked for one person", responses=examples.SEARCH)
    async def search(
        body: Annotated[SearchBody, Body(openapi_examples=examples.SEARCH_BODY)], tenant: Tenant
    ) -> Response:
        arrived = time.monotonic()
        request = body.request(tenant, kinds, arrived)
        page = await pool.run(lambda: pages.page(request, body.offset, body.limit, body.page_token))
        told = answer_of(page.answer, page.hits, arrived, explain=body.explain)
        return json_answer(told | {"page_token": page.token or None})

    return router


def feed_routes(feeds: Feeds, suggestions: Suggestions, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The routes of recommendations and suggestions."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"])

    @router.post("/recommend", summary="What one person may want", responses=examples.RECOMMEND)
    async def recommend(
        body: Annotated[RecommendBody, Body(openapi_examples=examples.RECOMMEND_BODY)], tenant: Tenant
    ) -> Response:
        arrived = time.monotonic()
        request = body.request(tenant, kinds, arrived)
        answer = await pool.run(lambda: feeds.recommend(request))
        return json_answer(answer_of(answer, answer.hits, arrived, explain=body.explain))

    @router.post("/suggest", summary="Items that answer a text, or none", responses=examples.SUGGEST)
    async def suggest(
        body: Annotated[SuggestBody, Body(openapi_examples=examples.SUGGEST_BODY)], tenant: Tenant
    ) -> Response:
        arrived = time.monotonic()
        request = body.request(tenant, kinds, arrived)
        found = await pool.run(lambda: suggestions.suggest(request))
        return json_answer(
            {
                "hits": [
                    {"id": item.key.id, "kind": item.key.kind, "probability": told, "fields": item.fields()}
                    for item, told in found.items
                ],
                "threshold": found.threshold,
                "rank_id": str(uuid.uuid4()),
                "ranked_by": found.ranked_by or None,
                "degraded": found.degraded.value if found.degraded else None,
                "took_ms": round(1000 * (time.monotonic() - arrived), 3),
            }
        )

    return router


def similar_routes(searches: Searches, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The routes of similar items."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"], dependencies=[PathInUtf8])

    async def similar(kind_name: str, id_: str, body: SimilarBody, tenant: str) -> Response:
        arrived = time.monotonic()
        kind = kind_of(kind_name, kinds)
        request = body.request(key_of(tenant, kind, id_), kinds, arrived)
        answer = await pool.run(lambda: searches.similar(request))
        return json_answer(answer_of(answer, answer.hits, arrived, explain=False))

    @router.get("/similar/{kind}/{id:path}", summary="Items like one item", responses=examples.SIMILAR)
    async def similar_to(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        tenant: Tenant,
        query: Annotated[SimilarQuery, Query()],
    ) -> Response:
        return await similar(kind, id, SimilarBody.model_validate(query.model_dump()), tenant)

    @router.post("/similar/{kind}/{id:path}", summary="Items like one item, filtered", responses=examples.SIMILAR)
    async def similar_filtered(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        body: Annotated[SimilarBody, Body(openapi_examples=examples.SIMILAR_BODY)],
        tenant: Tenant,
    ) -> Response:
        return await similar(kind, id, body, tenant)

    return router


def answer_of(answer: Answer, page: tuple[Hit, ...], arrived: float, *, explain: bool) -> dict[str, Any]:
    """The answer as callers read it.

    Args:
        answer: what became of the request.
        page: the hits that are told.
        arrived: `time.monotonic()` when the request came.
        explain: tell what each part added and each group contributed.
    """
    shown: Callable[[Hit], dict[str, Any]] = _explained if explain else _plain
    return {
        "hits": [shown(hit) for hit in page],
        "total_candidates": answer.found,
        "rank_id": str(uuid.uuid4()),
        "ranked_by": answer.ranked_by or None,
        "degraded": answer.degraded.value if answer.degraded else None,
        "history_used": answer.history_used,
        "took_ms": round(1000 * (time.monotonic() - arrived), 3),
    }


def _plain(hit: Hit) -> dict[str, Any]:
    key = hit.item.key
    fields = hit.item.fields()
    return {"id": key.id, "kind": key.kind, "score": hit.score, "engine_rank": hit.engine_rank, "fields": fields}


def _explained(hit: Hit) -> dict[str, Any]:
    return _plain(hit) | {"parts": dict(hit.parts), "contributions": dict(hit.contributions)}
