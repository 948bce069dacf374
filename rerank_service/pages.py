"""Pages: slices of one ranking, exact whatever the person does in between."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from domain.errors import NotFound
from domain.ports import SearchEngine
from domain.search import MAX_LIMIT, Candidate, Hit
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.page_tokens import PageTokens, Window, asked_for, expired
from rerank_service.request import WINDOW, Answer, SearchRequest
from rerank_service.retrieval import retrieve
from rerank_service.searches import Searches
from rerank_service.snapshot import Snapshot, Snapshots


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits of an answer, and how to come by the others."""

    answer: Answer
    hits: tuple[Hit, ...]
    #: For the other pages; empty where this one holds all there is.
    token: str


class Pages:
    """Answers searches page by page; blocking, safe to call from several threads.

    Args:
        engine: where items are read again.
        snapshots: what a request is served from.
        searches: rank the window.
        tokens: carry it from page to page.
    """

    def __init__(self, engine: SearchEngine, snapshots: Snapshots, searches: Searches, tokens: PageTokens) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._searches = searches
        self._tokens = tokens

    def page(self, request: SearchRequest, offset: int, limit: int, token: str) -> Page:
        """The hits from `offset` on: of the token's ranking, else of a new one.

        Raises:
            InvalidQuery: the token is refused.
            NotFound, Unavailable: as `Searches.search`.
        """
        if token:
            return self._later(request, offset, limit, token)
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        answer = self._searches.search(request, snapshot)
        more = answer.found >= WINDOW
        if not more and offset == 0 and len(answer.hits) <= limit:
            return Page(answer, answer.hits, "")
        window = Window(
            tenant=request.scope.tenant,
            kind=request.kind,
            generation=snapshot.generation,
            bundle=snapshot.bundle_id,
            asked=asked_for(request),
            cut_off=time.time(),
            ids=tuple(hit.item.key.id for hit in answer.hits),
            scores=tuple(hit.score for hit in answer.hits),
            ranks=tuple(hit.engine_rank for hit in answer.hits),
            more=more,
            ranked_by=answer.ranked_by,
            degraded=answer.degraded.value if answer.degraded else "",
            history_used=answer.history_used,
        )
        return Page(answer, answer.hits[offset : offset + limit], self._tokens.sign(window))

    def _later(self, request: SearchRequest, offset: int, limit: int, token: str) -> Page:
        window = self._tokens.read(token, request)
        kept = replace(
            self._snapshots.take(request.kind, request.scope.tenant),
            generation=window.generation,
            bundle_id=window.bundle,
        )
        try:
            ranked = self._ranked(request, window, offset, limit)
            beyond = offset + limit - len(window.ids)
            if window.more and beyond > 0:
                # Beyond the window the engine's order goes on.
                rest = self._rest(request, replace(kept, space=self._snapshots.space(kept.generation)), window)
                ranked += rest[max(0, offset - len(window.ids)) : beyond]
        except NotFound as error:
            raise expired() from error
        degraded = Degraded(window.degraded) if window.degraded else None
        answer = Answer((), window.ranked_by, degraded, window.history_used, len(window.ids))
        return Page(answer, tuple(ranked), token)

    def _ranked(self, request: SearchRequest, window: Window, offset: int, limit: int) -> list[Hit]:
        """The window's hits of this page that are still there for this scope, as they are now."""
        chosen = range(offset, min(offset + limit, len(window.ids)))
        found = self._engine.lookup(window.generation, request.scope, [window.ids[one] for one in chosen])
        there = [(one, found[window.ids[one]].item) for one in chosen if window.ids[one] in found]
        return [Hit(item, window.scores[one], window.ranks[one]) for one, item in there]

    def _rest(self, request: SearchRequest, snapshot: Snapshot, window: Window) -> list[Hit]:
        try:
            query = self._searches.ranker.prepare(snapshot, request)[1] if request.text else None
        except CannotRank:
            query = None
        candidates: list[Candidate] = retrieve(self._engine, snapshot, request, query, MAX_LIMIT)
        told = {*window.ids, *request.rules.hides}
        return [
            Hit(one.item, one.score, rank) for rank, one in enumerate(candidates, start=1) if one.key.id not in told
        ]
