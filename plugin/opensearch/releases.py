"""Release documents in OpenSearch, changed by compare-and-set."""

from __future__ import annotations

from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import NotFound, ReleaseConflict
from domain.releases import Held, Release
from plugin.opensearch.client import told
from plugin.opensearch.mapping import RELEASES
from plugin.opensearch.state import ensure_index

_PROPERTIES: Final = {"kind": {"type": "keyword"}, "release": {"type": "object", "enabled": False}}
_MAX_KINDS: Final = 1_000


class OpenSearchReleases:
    """One release document for each kind (port `ReleaseStore`).

    The token is sequence number and primary term: the server itself refuses a change onto anything but what was read.
    """

    def __init__(self, client: OpenSearch, prefix: str = "sidetower-") -> None:
        self._client = client
        self._index = f"{prefix}{RELEASES}"

    def get(self, kind: str) -> Held | None:
        """The release of the kind, or None before the first one."""
        with told(f"read the release of {kind}"):
            # Realtime and from the primary: a replica may not have heard of the last change yet.
            answer = self._client.get(index=self._index, id=kind, preference="_primary", ignore=404)
        if not answer.get("found"):
            return None
        return Held(Release.from_document(answer["_source"]["release"]), _token(answer))

    def put(self, release: Release, token: str | None) -> Held:
        """Store the release if nobody changed it since `token` was read; None = there was none.

        Raises:
            ReleaseConflict: somebody else was first.
        """
        ensure_index(self._client, self._index, _PROPERTIES)
        document = {"kind": release.kind, "release": release.to_document()}
        try:
            with told(f"change the release of {release.kind}"):
                answer = self._client.index(
                    index=self._index, id=release.kind, body=document, refresh=True, **_condition(token)
                )
        except ReleaseConflict as conflict:
            raise ReleaseConflict(
                f"release of {release.kind}",
                expected="nobody else to change it",
                got=conflict.got,
                fix="Read it again, then decide anew.",
            ) from conflict
        return Held(release, _token(answer))

    def kinds(self) -> list[str]:
        """Every kind that has a release, sorted."""
        body = {"query": {"match_all": {}}, "sort": [{"kind": "asc"}], "size": _MAX_KINDS, "_source": ["kind"]}
        try:
            with told("list releases"):
                answer = self._client.search(index=self._index, body=body)
        except NotFound:
            return []
        return [hit["_source"]["kind"] for hit in answer["hits"]["hits"]]


def _token(answer: dict[str, Any]) -> str:
    return f"{answer['_seq_no']}:{answer['_primary_term']}"


def _condition(token: str | None) -> dict[str, Any]:
    if token is None:
        return {"op_type": "create"}
    number, _, term = token.partition(":")
    if not (number.isdecimal() and term.isdecimal()):
        raise ReleaseConflict("token", expected="one that `get` or `put` gave", got=repr(token), fix="Read it again.")
    return {"if_seq_no": number, "if_primary_term": term}
