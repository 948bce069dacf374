"""Reranks: candidates that another engine found, ranked, or left as they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from domain.errors import Busy, InvalidItem
from domain.items import Item, ItemKey
from domain.ports import SearchEngine
from domain.search import Candidate
from rerank_service.degraded import CannotRank, Degraded, Tally
from rerank_service.document_vectors import DocumentVectors
from rerank_service.engine_pool import EnginePool
from rerank_service.ranker import Ranker
from rerank_service.ranking import engine_order
from rerank_service.relevance import Relevance, by_place, by_text
from rerank_service.request import ENGINE, Answer, DocumentsRequest, RerankRequest
from rerank_service.snapshot import Snapshot, Snapshots

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DocumentsAnswer:
    """Every document once."""

    #: Best first, scores never rising.
    results: tuple[Relevance, ...]
    #: As in `Answer`.
    ranked_by: str = ""
    degraded: Degraded | None = None
    history_used: int = 0


class Reranks:
    """Answers reranks. The caller has an order already, so whatever fails, that order is answered, within the deadline.

    Args:
        engine: where our items are.
        snapshots: what a request is served from.
        ranker: ranks.
        pool: threads that may wait for the engine.
        tally: counts the answers in the caller's order.
    """

    def __init__(
        self, engine: SearchEngine, snapshots: Snapshots, ranker: Ranker, pool: EnginePool, tally: Tally
    ) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._ranker = ranker
        self._pool = pool
        self._tally = tally
        self._vectors = DocumentVectors()

    async def rerank(self, request: RerankRequest) -> Answer:
        """Every offered candidate once; a hit's `engine_rank` is its place in the request, from 1.

        Never raises for a model or engine that fails: the answer is then the caller's order, and says why.
        """
        in_order = Answer(tuple(engine_order(_unread(request))), ranked_by=ENGINE)
        if request.weight == 0 or not (request.text or request.wants_history):
            return in_order
        try:
            return await self._in_time(request.deadline.remaining(), lambda: self._ranked(request))
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return replace(in_order, ranked_by="", degraded=error.reason)

    async def rerank_items(self, request: RerankRequest) -> DocumentsAnswer:
        """As `rerank`, with scores of 0 to 1 that fall with the place."""
        answer = await self.rerank(request)
        order = [hit.engine_rank - 1 for hit in answer.hits]
        return DocumentsAnswer(tuple(by_place(order)), answer.ranked_by, answer.degraded, answer.history_used)

    async def rerank_documents(self, request: DocumentsRequest) -> DocumentsAnswer:
        """Every document once, by how near the text encoder puts it to the query; never raises, as `rerank`."""
        in_order = tuple(by_place(range(len(request.documents))))
        if not request.query:
            return DocumentsAnswer(in_order, ranked_by=ENGINE)
        try:
            answer = await self._in_time(request.deadline.remaining(), lambda: self._compared(request))
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return DocumentsAnswer(in_order, degraded=error.reason)
        return answer or DocumentsAnswer(in_order, ranked_by=ENGINE)

    def _ranked(self, request: RerankRequest) -> Answer:
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        bundle, query = self._ranker.prepare(snapshot, request)
        return self._ranker.ranked(snapshot, request, bundle, query, self._read(snapshot, request))

    def _read(self, snapshot: Snapshot, request: RerankRequest) -> list[Candidate]:
        """The offered candidates; one that the scope may not see is the same as one that is not there."""
        ids = [one.id for one in request.offered if _can_be_ours(one.id, request)]
        found = self._engine.lookup(snapshot.generation, request.scope, ids)
        return [
            replace(found[offered.id], score=offered.score) if offered.id in found else unread
            for offered, unread in zip(request.offered, _unread(request), strict=True)
        ]

    def _compared(self, request: DocumentsRequest) -> DocumentsAnswer | None:
        """The documents by the query, or None when the encoder knows no token of the query."""
        deadline = request.deadline
        snapshot = self._snapshots.take(request.kind, request.tenant)
        bundle = self._snapshots.model(snapshot, deadline.remaining())
        texts = [request.query, *request.documents]
        vectors = self._ranker.within(
            deadline.remaining(), lambda: self._vectors.get(bundle, request.tenant, texts, deadline)
        )
        if not vectors[0].any():
            return None
        return DocumentsAnswer(tuple(by_text(vectors[0], vectors[1:])), ranked_by=bundle.id)

    async def _in_time(self, seconds: float, work: Callable[[], T]) -> T:
        """What `work` returns, if it does so in time, wherever it hangs.

        Raises:
            CannotRank: for everything else.
        """
        try:
            return await asyncio.wait_for(self._pool.run(work), seconds)
        except CannotRank:
            raise
        except TimeoutError as error:
            raise CannotRank(Degraded.DEADLINE) from error
        except Busy as error:
            raise CannotRank(Degraded.BUSY) from error
        except Exception as error:
            # Models fail inside the ranker; what is left is the release and the index.
            raise CannotRank(Degraded.INDEX_UNAVAILABLE) from error


def _unread(request: RerankRequest) -> list[Candidate]:
    """The candidates with nothing known of them but place and score, which is all that is read."""
    nothing = Item(ItemKey(request.scope.tenant, request.kind, "-"), 0)
    return [Candidate(nothing, offered.score, version=0) for offered in request.offered]


def _can_be_ours(id_: str, request: RerankRequest) -> bool:
    """Whether our index could hold this id; the caller's engine may allow longer ones."""
    try:
        ItemKey(request.scope.tenant, request.kind, id_)
    except InvalidItem:
        return False
    return True
