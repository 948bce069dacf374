"""Whether the process lives, and whether traffic may come."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rerank_service import examples
from rerank_service.degraded import Tally
from rerank_service.engine_pool import EnginePool
from rerank_service.error_answers import error_of, json_answer
from rerank_service.readiness import Readiness, not_ready


def health_routes(readiness: Readiness, tally: Tally, pool: EnginePool) -> APIRouter:
    """The routes that orchestrators ask."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process is alive", responses=examples.HEALTH)
    async def healthz() -> Response:
        return json_answer({"alive": True})

    @router.get("/readyz", summary="Traffic may come", responses=examples.READY)
    async def readyz() -> Response:
        report = await pool.run(readiness.report)
        told = {"ready": not report.missing, "checks": report.checks, "kinds": report.kinds, "degraded": tally.counts()}
        if report.missing:
            error = not_ready(report)
            return json_answer(error_of(error) | told, error.status, {"Retry-After": "1"})
        return json_answer(told)

    return router
