"""Candidates of another engine, ranked over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Response

from domain.catalogue import Kind
from rerank_service import examples
from rerank_service.addressing import TenantIfTold, required_tenant
from rerank_service.error_answers import json_answer
from rerank_service.json_route import JsonRoute
from rerank_service.ranking import Ranked
from rerank_service.relevance import Relevance
from rerank_service.rerank_bodies import DocumentsBody, RerankBody, Shape
from rerank_service.reranks import DocumentsAnswer, Reranked, Reranks


def rerank_routes(reranks: Reranks, kinds: Mapping[str, Kind]) -> APIRouter:
    """The route of reranks."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["search"])

    async def ranked(body: RerankBody, tenant: str, arrived: float) -> Response:
        answer = await reranks.places(body.request(tenant, kinds, arrived))
        results = [_result(answer.ranked, place, body) for place in answer.ranked.order[: body.limit]]
        return json_answer({"results": results, "rank_id": str(uuid.uuid4()), **_told(answer, arrived)})

    async def documents(body: DocumentsBody, tenant: str, arrived: float) -> Response:
        if body.item_ids is None:
            answer = await reranks.rerank_documents(body.documents_request(tenant, kinds, arrived))
        else:
            request = body.items_request(body.item_ids, required_tenant(tenant), kinds, arrived)
            answer = await reranks.rerank_items(request)
        results = [_relevant(one, body) for one in answer.results[: body.top_n]]
        return json_answer({"id": str(uuid.uuid4()), "results": results, "meta": _told(answer, arrived)})

    @router.post("/rerank", summary="Rank another engine's candidates", responses=examples.RERANK)
    async def rerank(
        body: Annotated[Shape, Body(openapi_examples=examples.RERANK_BODY)], tenant: TenantIfTold
    ) -> Response:
        arrived = time.monotonic()
        if isinstance(body, DocumentsBody):
            return await documents(body, tenant, arrived)
        return await ranked(body, required_tenant(tenant), arrived)

    return router


def _told(answer: Reranked | DocumentsAnswer, arrived: float) -> dict[str, Any]:
    return {
        "ranked_by": answer.ranked_by or None,
        "degraded": answer.degraded.value if answer.degraded else None,
        "history_used": answer.history_used,
        "took_ms": round(1000 * (time.monotonic() - arrived), 3),
    }


def _result(ranked: Ranked, place: int, body: RerankBody) -> dict[str, Any]:
    result = {
        "id": body.candidates[place].id,
        "index": place,
        "score": ranked.scores[place],
        "engine_rank": place + 1,
    }
    if not body.explain:
        return result
    return result | {"parts": ranked.told_parts(place), "contributions": ranked.told_shares(place)}


def _relevant(one: Relevance, body: DocumentsBody) -> dict[str, Any]:
    result: dict[str, Any] = {"index": one.index, "relevance_score": orjson.Fragment(one.number)}
    if body.return_documents:
        document = body.documents[one.index]
        result["document"] = {"text": document} if isinstance(document, str) else document
    return result
