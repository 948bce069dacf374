"""One item told or taken away over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from domain.catalogue import Kind
from domain.items import Change
from domain.versions import ItemOutcome, Outcome
from rerank_service import examples
from rerank_service.addressing import PathInUtf8, Tenant
from rerank_service.bodies import RevisionQuery, key_of
from rerank_service.changes import Apply, RevisionClock, outcome_error, read_item, read_removal
from rerank_service.engine_pool import EnginePool
from rerank_service.error_answers import json_answer
from rerank_service.json_route import JsonRoute
from rerank_service.snapshot import kind_of


def item_routes(apply: Apply, kinds: Mapping[str, Kind], clock: RevisionClock, pool: EnginePool) -> APIRouter:
    """The routes that take changes; acknowledged when every writing generation has them."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["items"], dependencies=[PathInUtf8])

    async def told(change: Change) -> Response:
        outcomes = await pool.run(lambda: apply([change]))
        return _answer(change, outcomes[0])

    @router.put("/items/{kind}/{id:path}", summary="Tell a new or changed item", responses=examples.ITEM)
    async def put_item(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        document: Annotated[dict[str, Any], Body(openapi_examples=examples.ITEM_BODY)],
        tenant: Tenant,
        query: Annotated[RevisionQuery, Query()],
    ) -> Response:
        kind_ = kind_of(kind, kinds)
        key = key_of(tenant, kind_, id)
        item = read_item(
            kind_, tenant, document, id_=key.id, revision=query.revision, place="query.revision", clock=clock
        )
        return await told(item)

    @router.delete("/items/{kind}/{id:path}", summary="Take an item away", responses=examples.ITEM)
    async def delete_item(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        tenant: Tenant,
        query: Annotated[RevisionQuery, Query()],
    ) -> Response:
        kind_ = kind_of(kind, kinds)
        key = key_of(tenant, kind_, id)
        return await told(read_removal(kind_, key, revision=query.revision, place="query.revision", clock=clock))

    return router


def _answer(change: Change, told: ItemOutcome) -> Response:
    key = change.key
    error = outcome_error(change, told)
    if error is not None:
        status, body = error
        return json_answer(body, status, {"Retry-After": "1"} if told.busy else {})
    searchable = "after the next refresh" if told.outcome is Outcome.WRITTEN else "a newer revision is stored"
    return json_answer(
        {
            "outcome": told.outcome.value,
            "kind": key.kind,
            "id": key.id,
            "revision": change.revision,
            "searchable": searchable,
        }
    )
