"""OpenSearch's `_bulk` alone: bodies made beforehand, sent one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from domain.versions import StoredItem
from plugin.opensearch.client import OpenSearch
from plugin.opensearch.documents import document_id, to_document


def bodies(stored: Sequence[StoredItem], size: int) -> list[bytes]:
    """Request bodies of so many documents each."""
    lines = [_line(one) for one in stored]
    return [b"".join(lines[start : start + size]) for start in range(0, len(lines), size)]


def post(client: OpenSearch, index: str, body: bytes) -> None:
    """Send one body; everything in it has to be taken."""
    answer = client.bulk(body=body, index=f"{index}-write", require_alias=True, request_timeout=120)
    if answer["errors"]:
        raise AssertionError(next(item for item in answer["items"] if item["index"].get("error")))


def _line(one: StoredItem) -> bytes:
    action = {"_id": document_id(one.key.tenant, one.key.id), "version": one.version, "version_type": "external"}
    return (
        orjson.dumps({"index": action})
        + b"\n"
        + orjson.dumps(to_document(one), option=orjson.OPT_SERIALIZE_NUMPY)
        + b"\n"
    )
