"""Parked items in OpenSearch, so that losing Redis revives no poison."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import orjson
from opensearchpy import OpenSearch

from domain.errors import Busy, NotFound, Unavailable
from domain.items import ItemKey
from domain.work import ParkedItem, WorkKey
from plugin.opensearch.bulk import send
from plugin.opensearch.client import as_exception, counterpart, dumped, told
from plugin.opensearch.mapping import PARKED
from plugin.opensearch.state import ensure_index

_KEYWORD: Final = {"type": "keyword"}
_KEY_FIELDS: Final = ("tenant", "kind", "id", "generation")
_PROPERTIES: Final[dict[str, Any]] = {
    **dict.fromkeys(_KEY_FIELDS, _KEYWORD),
    "revision": {"type": "long"},
    "attempts": {"type": "integer"},
    # An error can be longer than a keyword may be; it is shown, never searched.
    "error": {"type": "keyword", "index": False, "doc_values": False},
    "parked_at": {"type": "double"},
}
#: `index.max_result_window`.
_LARGEST_PAGE: Final = 10_000


class OpenSearchParkedItems:
    """Tasks that failed too often (port `ParkedItems`)."""

    def __init__(self, client: OpenSearch, prefix: str = "sidetower-") -> None:
        self._client = client
        self._index = f"{prefix}{PARKED}"

    def park(self, items: Sequence[ParkedItem]) -> None:
        """Keep these, replacing what was parked under the same work key."""
        if items:
            ensure_index(self._client, self._index, _PROPERTIES)
            self._send(
                [_action("index", one.work) + dumped(str(one.work.key), _document(one)) + b"\n" for one in items]
            )

    def get(self, works: Sequence[WorkKey]) -> list[ParkedItem]:
        """Those of these that are parked, in the order asked; realtime."""
        if not works:
            return []
        with told("look up parked items"):
            answer = self._client.mget(body={"ids": [_id(work) for work in works]}, index=self._index)
        for failed in (one for one in answer["docs"] if "error" in one):
            error = counterpart(as_exception(failed), "look up parked items")
            if not isinstance(error, NotFound):  # where nothing was ever parked there is no index
                raise error
        return [_parked(one["_source"]) for one in answer["docs"] if one.get("found")]

    def all(self, limit: int = 1_000, after: WorkKey | None = None) -> list[ParkedItem]:
        """The next parked items in the order of their work keys, after this one or from the start; at most 10,000."""
        body: dict[str, Any] = {
            "query": {"match_all": {}},
            "sort": [{name: "asc"} for name in _KEY_FIELDS],
            "size": min(limit, _LARGEST_PAGE),
        }
        if after is not None:
            body["search_after"] = _names(after)
        try:
            with told("list parked items"):
                answer = self._client.search(index=self._index, body=body)
        except NotFound:
            return []
        return [_parked(hit["_source"]) for hit in answer["hits"]["hits"]]

    def free(self, works: Sequence[WorkKey]) -> None:
        """Forget these; unknown ones change nothing."""
        if not works:
            return
        try:
            self._send([_action("delete", work) for work in works])
        except NotFound:  # nothing was ever parked
            return

    def _send(self, lines: Sequence[bytes]) -> None:
        answers = send(self._client, "change parked items", self._index, lines, refresh=True)
        failed = [one for one in answers if one.reason]
        if failed:
            kind = Busy if failed[0].busy else Unavailable
            raise kind(
                "parked items",
                expected=f"all {len(answers)} changes written",
                got=f"{len(failed)} refused: {failed[0].reason}",
                fix="Repeat; it is safe.",
            )


def _action(name: str, work: WorkKey) -> bytes:
    return orjson.dumps({name: {"_id": _id(work)}}) + b"\n"


def _id(work: WorkKey) -> str:
    # Four names can be longer than the 512 bytes of an id.
    return hashlib.sha256(orjson.dumps(_names(work))).hexdigest()


def _names(work: WorkKey) -> list[str]:
    return [work.key.tenant, work.key.kind, work.key.id, work.generation]


def _document(one: ParkedItem) -> dict[str, Any]:
    key = one.work.key
    return {
        "tenant": key.tenant,
        "kind": key.kind,
        "id": key.id,
        "generation": one.work.generation,
        "revision": one.revision,
        "attempts": one.attempts,
        # An error can quote the very text that no JSON can hold.
        "error": one.error.encode("utf-8", "backslashreplace").decode(),
        "parked_at": one.parked_at,
    }


def _parked(document: dict[str, Any]) -> ParkedItem:
    key = ItemKey(document["tenant"], document["kind"], document["id"])
    return ParkedItem(
        WorkKey(key, document["generation"]),
        revision=document["revision"],
        attempts=document["attempts"],
        error=document["error"],
        parked_at=document["parked_at"],
    )
