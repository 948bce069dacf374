"""Checkpoints in OpenSearch: one small document for each long work."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import NotFound
from plugin.opensearch.client import told
from plugin.opensearch.mapping import CHECKPOINTS
from plugin.opensearch.state import ensure_index

_PROPERTIES: Final = {"name": {"type": "keyword"}, "document": {"type": "object", "enabled": False}}


class OpenSearchCheckpoints:
    """How far long work has come (port `Checkpoints`)."""

    def __init__(self, client: OpenSearch, prefix: str = "sidetower-") -> None:
        self._client = client
        self._index = f"{prefix}{CHECKPOINTS}"

    def get(self, name: str) -> Mapping[str, Any] | None:
        """What was put last under this name; realtime and from the primary."""
        with told(f"read the checkpoint of {name}"):
            answer = self._client.get(index=self._index, id=_id(name), preference="_primary", ignore=404)
        if not answer.get("found"):
            return None
        document: Mapping[str, Any] = answer["_source"]["document"]
        return document

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep this document; the server has synced it to disk when this returns."""
        ensure_index(self._client, self._index, _PROPERTIES)
        with told(f"write the checkpoint of {name}"):
            self._client.index(index=self._index, id=_id(name), body={"name": name[:8_000], "document": dict(document)})

    def forget(self, name: str) -> None:
        """Keep nothing under this name."""
        try:
            with told(f"forget the checkpoint of {name}"):
                self._client.delete(index=self._index, id=_id(name), ignore=404)
        except NotFound:  # nothing was ever put
            return


def _id(name: str) -> str:
    # A name holds a path or the names of several indexes, and can be longer than the 512 bytes of an id.
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
