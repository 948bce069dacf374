"""Changes as callers tell them: documents and revisions to items and removals, and outcomes to errors."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from domain.catalogue import Kind, as_milliseconds
from domain.errors import InvalidItem, InvalidQuery
from domain.items import Change, Item, ItemKey, Removal
from domain.versions import ItemOutcome, Outcome
from rerank_service.error_answers import error_body

Apply = Callable[[Sequence[Change]], list[ItemOutcome]]


class RevisionClock:
    """Milliseconds since 1970 that grow with every change of an item, for hosts without revisions.

    Each item has its own: a clock for all of them would run ahead of the time under a bulk load, and the next process
    would tell older revisions than this one.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._last: OrderedDict[ItemKey, int] = OrderedDict()
        self._lock = Lock()

    def next(self, key: ItemKey) -> int:
        """A revision of this item higher than every one before."""
        with self._lock:
            now = int(1000 * self._now())
            revision = max(self._last.pop(key, 0) + 1, now)
            # What lies behind the time holds nobody back any more.
            while self._last and next(iter(self._last.values())) < now:
                self._last.popitem(last=False)
            self._last[key] = revision
            return revision


def read_revision(told: int | str, place: str) -> int:
    """The revision that a caller tells beside a document.

    Raises:
        InvalidQuery: neither a whole number nor a date.
    """
    if isinstance(told, int):
        return told
    # 2^61 has 19 digits.
    if told.isascii() and told.isdigit() and len(told) <= 19:
        return int(told)
    try:
        return round(as_milliseconds(told, "revision"))
    except InvalidItem as error:
        fix = "Send a whole number, or a date such as 2026-01-31T08:00:00Z."
        raise InvalidQuery(
            place, expected="a whole number or an ISO 8601 date", got=repr(told)[:120], fix=fix
        ) from error


def read_item(
    kind: Kind,
    tenant: str,
    document: Mapping[str, Any],
    *,
    id_: str | None,
    revision: int | str | None,
    place: str,
    clock: RevisionClock,
) -> Item:
    """The item that the document describes.

    Args:
        kind: how to read it.
        tenant: whose it is.
        document: the host's fields.
        id_: the id that it is told under; None leaves it to the document.
        revision: overrides the document's own; None leaves it to the document, or to the clock.
        place: where the revision was told.
        clock: revisions for a kind without any.

    Raises:
        InvalidItem: a field is wrong, or the document names another id or tenant.
        InvalidQuery: the revision is none.
    """
    number = None if revision is None else read_revision(revision, place)
    made_up = number is None and not kind.revision
    fields = document if id_ is None else {kind.id: id_, **document}
    item = kind.item(fields, tenant=tenant, revision=0 if made_up else number)
    if id_ is not None and item.key.id != id_:
        expected = f"the id that it is told under, {id_!r}"
        raise InvalidItem(f"field {kind.id}", expected=expected, got=repr(item.key.id), fix="Make them agree.")
    return replace(item, revision=clock.next(item.key)) if made_up else item


def read_removal(kind: Kind, key: ItemKey, *, revision: int | str | None, place: str, clock: RevisionClock) -> Removal:
    """The removal of an item.

    Args:
        kind: of the item.
        key: of the item.
        revision: when it was taken away, in the host's terms; None only for a kind without revisions.
        place: where the revision is told.
        clock: revisions for a kind without any.

    Raises:
        InvalidItem, InvalidQuery: the revision is missing or wrong.
    """
    if revision is not None:
        return Removal(key, read_revision(revision, place))
    if kind.revision:
        raise InvalidQuery(
            place,
            expected=f"the removal's revision, in the terms of field {kind.revision}",
            got="nothing",
            fix="Send revision, higher than that of the last change; a made-up one could hide later changes.",
        )
    return Removal(key, clock.next(key))


def outcome_error(change: Change, told: ItemOutcome) -> tuple[int, dict[str, Any]] | None:
    """Status and error for a change that is not stored; None when it is, or a newer one is."""
    place = f"{change.key.kind} {change.key.id}"
    if told.outcome in (Outcome.WRITTEN, Outcome.STALE):
        return None
    if told.outcome is Outcome.CONFLICTING_REVISION:
        return 409, error_body(
            "conflicting_revision",
            place,
            expected=f"the content that revision {change.revision} already has",
            got="other content under the same revision",
            fix="Send the change with a higher revision; the stored one stays.",
        )
    if told.busy:
        fix = "Nothing is lost: repeat the same request after a second."
        return 503, error_body("busy", place, expected="room in the engine", got=told.reason or "busy", fix=fix)
    fix = "See the engine's log; the same request can be repeated safely."
    return 500, error_body("not_stored", place, expected="the change stored", got=told.reason or "failed", fix=fix)
