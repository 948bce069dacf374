"""Search and versioned writes in OpenSearch, one index for each generation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import Busy, InvalidItem, InvalidQuery, SidetowerError
from domain.items import ItemKey
from domain.releases import Generation
from domain.search import LEG_DEPTH, Candidate, Query, QueryVector, Scope, fuse
from domain.versions import Changes, Creation, ItemOutcome, Outcome, StoredItem, VectorState, judge, onto
from plugin.opensearch.bulk import send
from plugin.opensearch.changes import read_changes
from plugin.opensearch.client import as_exception, counterpart, dumped, told
from plugin.opensearch.documents import document_id, from_document, to_candidate, to_document
from plugin.opensearch.generations import read_generation
from plugin.opensearch.mapping import index_name, write_alias
from plugin.opensearch.query import filter_leg, inner_product, scan_body, text_leg, vector_leg

#: Documents for each read by id.
_PAGE: Final = 1_000
#: `index.max_result_window`.
_LARGEST_PAGE: Final = 10_000
#: A generation never changes, but one of the same name can be made after it was dropped.
_REMEMBERED_SECONDS: Final = 10.0
#: Shorter for writers: a vector that fits the generation that was dropped must not get into the new one.
_REMEMBERED_TO_WRITE: Final = 1.0
_CONFLICT: Final = 409
#: A revision is met unread, then with content, then with its vector, then with what was repaired.
_TRIES: Final = 4


class OpenSearchEngine:
    """Retrieves candidates and keeps the newest revision of every item (port `SearchEngine`).

    Args:
        client: from `connect`; may be shared by threads, not by processes.
        prefix: of every index of this installation.
    """

    def __init__(self, client: OpenSearch, prefix: str = "sidetower-") -> None:
        self._client = client
        self._prefix = prefix
        self._remembered: dict[str, tuple[float, Generation]] = {}

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        """One outcome for each item, in order, by the rule of `domain.versions.judge`. Safe to repeat.

        External versions make the server keep the newest. What they cannot tell is read before (a late vector finds its
        own revision and content) or after (a 409 may be a replay, a stale write or a conflict).
        """
        outcomes: dict[ItemKey, ItemOutcome] = {}
        try:
            fitting = self._fitting(generation, items, outcomes)
            self._write(generation, fitting, creation, outcomes)
        except Busy as busy:
            for item in items:
                outcomes.setdefault(item.key, ItemOutcome(item.key, Outcome.FAILED, str(busy), busy=True))
        return [outcomes[item.key] for item in items]

    def read(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        """What is stored now, tombstones included, without waiting for a refresh. For writers only."""
        kind = self._generation(generation).kind
        ids = [document_id(key.tenant, key.id) for key in keys if key.kind == kind]
        found = (from_document(kind, one["_source"], one["_version"]) for one in self._by_id(generation, ids))
        return {stored.key: stored for stored in found}

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> dict[str, Candidate]:
        """The items of these ids that the scope may see, score 0, without waiting for a refresh."""
        kind = self._generation(generation).kind
        documents = self._by_id(generation, [document_id(scope.tenant, one) for one in ids])
        found = (to_candidate(kind, one["_source"], one["_version"]) for one in documents)
        return {one.key.id: one for one in found if one is not None and scope.sees(one.item)}

    def search(self, generation: str, scope: Scope, query: Query) -> list[Candidate]:
        """Candidates inside the scope, best first, ties by id; never a tombstone."""
        known = self._generation(generation)
        try:
            return self._search(known, scope, query)
        except InvalidQuery:
            # Nothing is refused on a memory: the name may stand for other fields by now.
            fresh = self._generation(generation, 0.0)
            if fresh == known:
                raise
            return self._search(fresh, scope, query)

    def scan(
        self,
        generation: str,
        after: ItemKey | None = None,
        limit: int = 500,
        state: VectorState | None = None,
        outside: str = "",
    ) -> list[StoredItem]:
        """The next items in key order after `after`, tombstones included; empty at the end.

        Sees what was refreshed; at most 10,000 at once.
        """
        kind = self._generation(generation).kind
        with self._told("scan", generation):
            body = scan_body(after, min(limit, _LARGEST_PAGE), state, outside)
            answer = self._client.search(index=self._index(generation), body=body)
        return [from_document(kind, hit["_source"], hit["_version"]) for hit in answer["hits"]["hits"]]

    def changes(self, generation: str, after: str = "") -> Changes:
        """What was written after the call that gave this mark."""
        kind = self._generation(generation).kind
        with self._told("changes", generation):
            return read_changes(self._client, self._index(generation), kind, after)

    def refresh(self, generation: str) -> None:
        """Make everything written so far searchable."""
        with self._told("refresh", generation):
            self._client.indices.refresh(index=self._index(generation))

    def _fitting(
        self, generation: str, items: Sequence[StoredItem], outcomes: dict[ItemKey, ItemOutcome]
    ) -> list[StoredItem]:
        """The items of the generation's kind and space; the others fail: no server would refuse them."""
        known = self._generation(generation, _REMEMBERED_TO_WRITE)
        if any(_misfit(item, known) for item in items):
            # Nothing is refused on a memory: the name may stand for another space by now.
            known = self._generation(generation, 0.0)
        for item in items:
            if reason := _misfit(item, known):
                outcomes[item.key] = ItemOutcome(item.key, Outcome.FAILED, reason)
        return [item for item in items if item.key not in outcomes]

    def _write(
        self,
        generation: str,
        items: Sequence[StoredItem],
        creation: Creation,
        outcomes: dict[ItemKey, ItemOutcome],
    ) -> None:
        """Fill in the outcome of every item."""
        if creation is Creation.FORBIDDEN:
            left = self._judge(generation, items, creation, outcomes)
        else:  # what is there already is met by the server
            left = [_Write.onto(item, None) for item in items]
        for _ in range(_TRIES):
            conflicting = self._send(generation, left, outcomes)
            left = self._judge(generation, conflicting, creation, outcomes)
        for write in left:
            # The engine remembers the version of a document that was purged a moment ago.
            reason = "the engine holds a newer version that cannot be read; repeat in a minute"
            outcomes[write.item.key] = ItemOutcome(write.item.key, Outcome.FAILED, reason)

    def _judge(
        self,
        generation: str,
        items: Sequence[StoredItem],
        creation: Creation,
        outcomes: dict[ItemKey, ItemOutcome],
    ) -> list[_Write]:
        """The writes that are to be made; the other items get their outcome from what is stored."""
        found = self.read(generation, [item.key for item in items]) if items else {}
        left = []
        for item in items:
            stored = found.get(item.key)
            outcome = judge(item, stored, creation)
            if outcome is None:
                left.append(_Write.onto(item, stored))
            else:
                outcomes[item.key] = ItemOutcome(item.key, outcome)
        return left

    def _send(
        self, generation: str, writes: Sequence[_Write], outcomes: dict[ItemKey, ItemOutcome]
    ) -> list[StoredItem]:
        """Make these; the items that a 409 refused are returned, the others get their outcome."""
        lines: list[bytes] = []
        sent: list[StoredItem] = []
        for write in writes:
            try:
                lines.append(write.line())
                sent.append(write.item)
            except InvalidItem as wrong:
                outcomes[write.item.key] = ItemOutcome(write.item.key, Outcome.FAILED, str(wrong))
        index = self._index(generation)
        answers = send(self._client, f"write to {index}", write_alias(index), lines, require_alias=True)
        conflicting = []
        for item, answer in zip(sent, answers, strict=True):
            if answer.status == _CONFLICT:
                conflicting.append(item)
            elif answer.reason:
                outcomes[item.key] = ItemOutcome(item.key, Outcome.FAILED, answer.reason, answer.busy)
            else:
                outcomes[item.key] = ItemOutcome(item.key, Outcome.WRITTEN)
        return conflicting

    def _search(self, known: Generation, scope: Scope, query: Query) -> list[Candidate]:
        if query.text and query.vector is not None:
            return self._hybrid(known, scope, query, query.vector)
        if query.text:
            (found,) = self._legs(known, [text_leg(known, scope, query, query.limit)])
            return [replace(one, text_rank=rank) for rank, one in enumerate(found, start=1)]
        if query.vector is not None:
            (found,) = self._legs(known, [vector_leg(known, scope, query, query.vector, query.limit)])
            return [
                replace(one, score=inner_product(one.score), vector_rank=rank)
                for rank, one in enumerate(found, start=1)
            ]
        (found,) = self._legs(known, [filter_leg(known, scope, query, query.limit)])
        return found

    def _hybrid(self, known: Generation, scope: Scope, query: Query, vector: QueryVector) -> list[Candidate]:
        """Both legs in one round trip, fused by rank."""
        depth = max(query.limit, LEG_DEPTH)
        by_text, by_vector = self._legs(
            known, [text_leg(known, scope, query, depth), vector_leg(known, scope, query, vector, depth)]
        )
        text_ranks = {one.key: rank for rank, one in enumerate(by_text, start=1)}
        vector_ranks = {one.key: rank for rank, one in enumerate(by_vector, start=1)}
        found = {one.key: one for one in (*by_text, *by_vector)}
        return [
            replace(found[key], score=score, text_rank=text_ranks.get(key), vector_rank=vector_ranks.get(key))
            for key, score in fuse([list(text_ranks), list(vector_ranks)], query.limit)
        ]

    def _legs(self, known: Generation, bodies: Sequence[dict[str, Any]]) -> list[list[Candidate]]:
        """What each body finds, in one round trip."""
        lines = b"".join(b"{}\n" + dumped("query", body) + b"\n" for body in bodies)
        with self._told("search", known.name):
            answer = self._client.msearch(body=lines, index=self._index(known.name))
        legs = []
        for one in answer["responses"]:
            if "error" in one:
                raise self._failure(known.name, one)
            hits = one["hits"]["hits"]
            read = [to_candidate(known.kind, hit["_source"], hit["_version"], hit["_score"] or 0.0) for hit in hits]
            legs.append([candidate for candidate in read if candidate is not None])
        return legs

    def _by_id(self, generation: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The documents of these ids that are there, in realtime."""
        for start in range(0, len(ids), _PAGE):
            with self._told("read", generation):
                body = {"ids": ids[start : start + _PAGE]}
                answer = self._client.mget(body=body, index=self._index(generation))
            for one in answer["docs"]:
                if "error" in one:
                    raise self._failure(generation, one)
                if one["found"]:
                    yield one

    def _generation(self, name: str, seconds: float = _REMEMBERED_SECONDS) -> Generation:
        """What the generation is made of, as it was at most so many seconds ago."""
        now = time.monotonic()
        asked_at, known = self._remembered.get(name, (0.0, None))
        if known is None or now - asked_at >= seconds:
            known = read_generation(self._client, self._prefix, name)
            self._remembered[name] = (now, known)
        return known

    def _index(self, generation: str) -> str:
        return index_name(self._prefix, generation)

    def _told(self, doing: str, generation: str) -> AbstractContextManager[None]:
        return told(f"{doing} {self._index(generation)}")

    def _failure(self, generation: str, answer: dict[str, Any]) -> SidetowerError:
        return counterpart(as_exception(answer), f"asking {self._index(generation)}")


@dataclass(frozen=True, slots=True)
class _Write:
    """One bulk write."""

    item: StoredItem
    #: External version: the server stores it only above what is there.
    version: int

    @classmethod
    def onto(cls, item: StoredItem, stored: StoredItem | None) -> _Write:
        """The write of an item onto what was read.

        Whoever stores version 4 x revision first decides what the revision holds, vector or not; only the vector of
        that same content follows one higher. So whatever is written between the reading and this write is met by the
        server itself, and never passed over.
        """
        if stored is None or stored.change.revision != item.change.revision:
            return cls(item, item.version - item.phase)
        return cls(item, onto(item, stored).version)

    def line(self) -> bytes:
        """Action and document.

        Raises:
            InvalidItem: JSON cannot hold it.
        """
        key = self.item.key
        action = {"_id": document_id(key.tenant, key.id), "version": self.version, "version_type": "external"}
        return dumped(str(key), {"index": action}) + b"\n" + dumped(str(key), to_document(self.item)) + b"\n"


def _misfit(item: StoredItem, generation: Generation) -> str:
    """Why the generation does not hold the item; "" when it does."""
    if item.key.kind != generation.kind:
        return f"a generation of {generation.kind} does not hold {item.key.kind}"
    if item.vector is not None and item.space != generation.space:
        return f"a generation of space {generation.space} does not hold vectors of space {item.space}"
    return ""
