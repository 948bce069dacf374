"""Reranks: candidates that another engine found, ranked, or left as they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from domain.errors import Busy
from domain.items import Item, ItemKey
from domain.search import Candidate
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.degraded import CannotRank, Degraded, Tally
from rerank_service.document_vectors import DocumentVectors
from rerank_service.engine_pool import EnginePool
from rerank_service.known import Known
from rerank_service.ranker import Ranker
from rerank_service.ranking import Ranked, in_engine_order
from rerank_service.relevance import Relevance, by_place, by_text
from rerank_service.request import ENGINE, Answer, DocumentsRequest, RerankRequest
from rerank_service.snapshot import Snapshot, Snapshots

#: Share of the deadline that reading the rest may take where some of the candidates are known already.
READING_SHARE: Final = 0.6
#: Events whose items are read together with the candidates.
MAX_PAST: Final = 100

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


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """The offered candidates in their final order."""

    ranked: Ranked
    #: As in `Answer`.
    ranked_by: str = ""
    degraded: Degraded | None = None
    history_used: int = 0


class Reranks:
    """Answers reranks. The caller has an order already, so whatever fails, that order is answered, within the deadline.

    Args:
        vectors: where our items are read.
        snapshots: what a request is served from.
        ranker: ranks.
        pool: threads of its own, because a network that hangs holds one.
        tally: counts the answers in the caller's order.
    """

    def __init__(
        self, vectors: CandidateVectors, snapshots: Snapshots, ranker: Ranker, pool: EnginePool, tally: Tally
    ) -> None:
        self._vectors = vectors
        self._snapshots = snapshots
        self._ranker = ranker
        self._pool = pool
        self._tally = tally
        self._documents = DocumentVectors()

    async def places(self, request: RerankRequest) -> Reranked:
        """The offered candidates by their 0-based places in the request.

        Never raises for a model or engine that fails: the answer is then the caller's order, and says why.
        """
        if request.weight == 0 or not (request.text or request.wants_history):
            return Reranked(_in_order(request), ENGINE)
        try:
            return await self._in_time(request.deadline.remaining(), lambda: self._ranked(request))
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return Reranked(_in_order(request), degraded=error.reason)

    async def rerank(self, request: RerankRequest) -> Answer:
        """As `places`, as hits; a hit's `engine_rank` is its place in the request, from 1."""
        found = await self.places(request)
        nothing = Item(ItemKey(request.scope.tenant, request.kind, "-"), 0)
        unread = [Candidate(nothing, one.score, version=0) for one in request.offered]
        return Answer(found.ranked.hits(unread), found.ranked_by, found.degraded, found.history_used)

    async def rerank_items(self, request: RerankRequest) -> DocumentsAnswer:
        """As `rerank`, with scores of 0 to 1 that fall with the place."""
        found = await self.places(request)
        return DocumentsAnswer(tuple(by_place(found.ranked.order)), found.ranked_by, found.degraded, found.history_used)

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

    def _ranked(self, request: RerankRequest) -> Reranked:
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        bundle, query = self._ranker.prepare(snapshot, request)
        ids, scores = [one.id for one in request.offered], [one.score for one in request.offered]
        known = self._read(snapshot, request, ids)
        found = self._ranker.ranked_here(snapshot, request, bundle, query, ids, scores, known)
        return Reranked(found.ranked, found.ranked_by, history_used=found.history_used)

    def _read(self, snapshot: Snapshot, request: RerankRequest, ids: Sequence[str]) -> Known:
        """The offered candidates; one that the scope may not see is the same as one that is not there.

        Those that are not read in time, or not at all, keep their places, as long as others are there.
        """
        # What the person did is mostly of the same kind: one read for both.
        past = [event.id for event in request.history if event.kind == request.kind][:MAX_PAST]
        wanted = list(dict.fromkeys([*ids, *past]))

        def seconds(some: bool) -> float:
            return request.deadline.remaining(READING_SHARE if some else 1.0)

        known = self._vectors.read(snapshot.generation, snapshot.space, request.scope, wanted, seconds)
        found = known.first(len(ids))
        if known.error is not None and not any(found.candidates):
            late = isinstance(known.error, TimeoutError)
            raise CannotRank(Degraded.DEADLINE if late else Degraded.INDEX_UNAVAILABLE) from known.error
        return found

    def _compared(self, request: DocumentsRequest) -> DocumentsAnswer | None:
        """The documents by the query, or None when the encoder knows no token of the query."""
        deadline = request.deadline
        snapshot = self._snapshots.take(request.kind, request.tenant)
        bundle = self._snapshots.model(snapshot, deadline.remaining())
        texts = [request.query, *request.documents]
        vectors = self._ranker.within(
            deadline.remaining(), lambda: self._documents.get(bundle, request.tenant, texts, deadline)
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
            return await self._pool.within(seconds, work)
        except CannotRank:
            raise
        except TimeoutError as error:
            raise CannotRank(Degraded.DEADLINE) from error
        except Busy as error:
            raise CannotRank(Degraded.BUSY) from error
        except Exception as error:
            # Models fail inside the ranker; what is left is the release and the index.
            raise CannotRank(Degraded.INDEX_UNAVAILABLE) from error


def _in_order(request: RerankRequest) -> Ranked:
    return in_engine_order([one.id for one in request.offered], [one.score for one in request.offered], request.rules)
