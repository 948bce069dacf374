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
from rerank_service.json_route import JsonRoute
from rerank_service.request import Answer
from rerank_service.searches import Searches
from rerank_service.snapshot import kind_of


def search_routes(searches: Searches, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The route of searches."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"])

    @router.post("/search", summary="Search, ranked for one person", responses=examples.SEARCH)
    async def search(
        body: Annotated[SearchBody, Body(openapi_examples=examples.SEARCH_BODY)], tenant: Tenant
    ) -> Response:
        arrived = time.monotonic()
        request = body.request(tenant, kinds, arrived)
        answer = await pool.run(lambda: searches.search(request))
        page = answer.hits[body.offset : body.offset + body.limit]
        return _answer(answer, page, arrived, explain=body.explain)

    return router


def similar_routes(searches: Searches, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The routes of similar items."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"], dependencies=[PathInUtf8])

    async def similar(kind_name: str, id_: str, body: SimilarBody, tenant: str) -> Response:
        arrived = time.monotonic()
        kind = kind_of(kind_name, kinds)
        request = body.request(key_of(tenant, kind, id_), kind)
        answer = await pool.run(lambda: searches.similar(request))
        return _answer(answer, answer.hits, arrived, explain=False)

    @router.get("/similar/{kind}/{id:path}", summary="Items like one item", responses=examples.SIMILAR)
    async def similar_to(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        tenant: Tenant,
        query: Annotated[SimilarQuery, Query()],
    ) -> Response:
        return await similar(kind, id, SimilarBody(limit=query.limit, audiences=query.audiences), tenant)

    @router.post("/similar/{kind}/{id:path}", summary="Items like one item, filtered", responses=examples.SIMILAR)
    async def similar_filtered(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        body: Annotated[SimilarBody, Body(openapi_examples=examples.SIMILAR_BODY)],
        tenant: Tenant,
    ) -> Response:
        return await similar(kind, id, body, tenant)

    return router


def _answer(answer: Answer, page: tuple[Hit, ...], arrived: float, *, explain: bool) -> Response:
    shown: Callable[[Hit], dict[str, Any]] = _explained if explain else _plain
    return json_answer(
        {
            "hits": [shown(hit) for hit in page],
            "total_candidates": len(answer.hits),
            "rank_id": str(uuid.uuid4()),
            "ranked_by": answer.ranked_by or None,
            "degraded": answer.degraded.value if answer.degraded else None,
            "history_used": answer.history_used,
            "took_ms": round(1000 * (time.monotonic() - arrived), 3),
        }
    )


def _plain(hit: Hit) -> dict[str, Any]:
    key = hit.item.key
    fields = hit.item.fields()
    return {"id": key.id, "kind": key.kind, "score": hit.score, "engine_rank": hit.engine_rank, "fields": fields}


def _explained(hit: Hit) -> dict[str, Any]:
    return _plain(hit) | {"parts": dict(hit.parts), "contributions": dict(hit.contributions)}
