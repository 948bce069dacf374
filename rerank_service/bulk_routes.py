"""Many changes over HTTP: lines in, outcomes out, both as streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rerank_service import examples
from rerank_service.addressing import Tenant
from rerank_service.bulk import Bulk
from rerank_service.bulk_lines import batches
from rerank_service.engine_pool import EnginePool
from rerank_service.outbox import Outbox

BULK_PATH: Final = "/v1/items/bulk"
#: After a batch that was put off, nothing is read for so long: the caller feels that the engine has too much to do.
PAUSE_SECONDS: Final = 0.5
#: Outcomes that the caller has not fetched yet are kept in memory up to this size, on disk beyond it.
OUTBOX_MEMORY: Final = 1_048_576


class TwoWayResponse(StreamingResponse):
    """Streams while the request still comes.

    `StreamingResponse` would fetch pieces of the body itself, to look for a disconnect.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        """Send the answer."""
        await self.stream_response(send)


def bulk_routes(bulk: Bulk, pool: EnginePool) -> APIRouter:
    """The route that takes many changes; an outcome is told when every writing generation has the change."""
    router = APIRouter(tags=["items"])

    @router.post(
        BULK_PATH,
        summary="Tell many changes, one on each line",
        responses=examples.BULK,
        response_class=StreamingResponse,
        openapi_extra={"requestBody": examples.BULK_BODY},
    )
    async def take_lines(request: Request, tenant: Tenant) -> Response:
        chunks = request.stream()
        try:
            # The body is asked for before the answer begins: a caller that waits for "100 Continue" gets it.
            first = await anext(chunks, b"")
        except ClientDisconnect:
            return Response(status_code=400)
        return TwoWayResponse(
            _outcomes(bulk, pool, tenant, _rejoined(first, chunks)), media_type="application/x-ndjson"
        )

    return router


async def _outcomes(bulk: Bulk, pool: EnginePool, tenant: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The answer, sent while lines are read: most clients read nothing until they have sent everything."""
    with SpooledTemporaryFile(max_size=OUTBOX_MEMORY) as file:
        outbox = Outbox(file)
        reading = asyncio.create_task(_take_all(bulk, pool, tenant, chunks, outbox))
        try:
            async for piece in outbox.pieces():
                yield piece
            await reading
        finally:
            reading.cancel()


async def _take_all(bulk: Bulk, pool: EnginePool, tenant: str, chunks: AsyncIterator[bytes], outbox: Outbox) -> None:
    try:
        # A caller that goes away has been promised nothing of what was not told.
        with suppress(ClientDisconnect):
            async for lines in batches(chunks):
                try:
                    told = await pool.run(lambda: bulk.take(tenant, lines))  # noqa: B023 - awaited before the next
                except Exception as error:
                    told = bulk.put_off(lines, error)
                outbox.put(told.lines)
                if told.busy:
                    await asyncio.sleep(PAUSE_SECONDS)
    finally:
        outbox.end()


async def _rejoined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
