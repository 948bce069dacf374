"""One item told or taken away over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from domain.catalogue import Kind, as_milliseconds
from domain.errors import Busy, InvalidItem, InvalidQuery
from domain.items import Change, Item, ItemKey, Removal
from domain.versions import ItemOutcome, Outcome
from rerank_service import examples
from rerank_service.addressing import PathInUtf8, Tenant
from rerank_service.bodies import RevisionQuery, key_of
from rerank_service.engine_pool import EnginePool
from rerank_service.error_answers import error_body, error_of, json_answer
from rerank_service.json_route import JsonRoute
from rerank_service.snapshot import kind_of

Apply = Callable[[Sequence[Change]], list[ItemOutcome]]


class RevisionClock:
    """Milliseconds since 1970 that never repeat within a process, for hosts without revisions."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._last = 0
        self._lock = Lock()

    def next(self) -> int:
        """A revision higher than every one before."""
        with self._lock:
            self._last = max(self._last + 1, int(1000 * self._now()))
            return self._last


def item_routes(apply: Apply, kinds: Mapping[str, Kind], pool: EnginePool) -> APIRouter:
    """The routes that take changes; acknowledged when every writing generation has them."""
    router = APIRouter(prefix="/v1", route_class=JsonRoute, tags=["items"], dependencies=[PathInUtf8])
    clock = RevisionClock()

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
        return await told(_item(kind_, key_of(tenant, kind_, id), document, query.revision, clock))

    @router.delete("/items/{kind}/{id:path}", summary="Take an item away", responses=examples.ITEM)
    async def delete_item(
        kind: str,
        id: str,  # noqa: A002 - the name in the path
        tenant: Tenant,
        query: Annotated[RevisionQuery, Query()],
    ) -> Response:
        kind_ = kind_of(kind, kinds)
        return await told(_removal(kind_, key_of(tenant, kind_, id), query.revision, clock))

    return router


def read_revision(told: str) -> int:
    """The revision that a query parameter tells.

    Raises:
        InvalidQuery: neither a whole number nor a date.
    """
    # 2^61 has 19 digits.
    if told.isascii() and told.isdigit() and len(told) <= 19:
        return int(told)
    try:
        return round(as_milliseconds(told, "revision"))
    except InvalidItem as error:
        fix = "Send ?revision=17 or ?revision=2026-01-31T08:00:00Z."
        raise InvalidQuery(
            "query.revision", expected="a whole number or an ISO 8601 date", got=repr(told)[:120], fix=fix
        ) from error


def _item(kind: Kind, key: ItemKey, document: Mapping[str, Any], revision: str | None, clock: RevisionClock) -> Item:
    number = None if revision is None else read_revision(revision)
    if number is None and not kind.revision:
        number = clock.next()
    item = kind.item({kind.id: key.id, **document}, tenant=key.tenant, revision=number)
    if item.key.id != key.id:
        expected = f"the id in the path, {key.id!r}"
        raise InvalidItem(f"field {kind.id}", expected=expected, got=repr(item.key.id), fix="Make them agree.")
    return item


def _removal(kind: Kind, key: ItemKey, revision: str | None, clock: RevisionClock) -> Removal:
    if revision is not None:
        return Removal(key, read_revision(revision))
    if kind.revision:
        raise InvalidQuery(
            "query.revision",
            expected=f"the removal's revision, in the terms of field {kind.revision}",
            got="nothing",
            fix="Send ?revision=, higher than that of the last change; a made-up one could hide later changes.",
        )
    return Removal(key, clock.next())


def _answer(change: Change, told: ItemOutcome) -> Response:
    key = change.key
    if told.outcome in (Outcome.WRITTEN, Outcome.STALE):
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
    place = f"{key.kind} {key.id}"
    if told.outcome is Outcome.CONFLICTING_REVISION:
        return json_answer(
            error_body(
                "conflicting_revision",
                place,
                expected=f"the content that revision {change.revision} already has",
                got="other content under the same revision",
                fix="Send the change with a higher revision; the stored one stays.",
            ),
            409,
        )
    if told.busy:
        fix = "Nothing is lost: repeat the same request after a second."
        busy = Busy(place, expected="room in the engine", got=told.reason or "busy", fix=fix)
        return json_answer(error_of(busy), busy.status, {"Retry-After": "1"})
    fix = "See the engine's log; the same request can be repeated safely."
    body = error_body("not_stored", place, expected="the change stored", got=told.reason or "failed", fix=fix)
    return json_answer(body, 500)
