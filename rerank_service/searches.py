"""Searches: snapshot, retrieval and ranking in one call, failing open towards the engine's order."""

from __future__ import annotations

from domain.ports import SearchEngine
from domain.vectors import Array
from rerank_service.candidate_vectors import CAPACITY, CandidateVectors
from rerank_service.degraded import CannotRank, Degraded, Tally
from rerank_service.known import Known
from rerank_service.ranker import Ranker
from rerank_service.ranking import in_engine_order
from rerank_service.request import ENGINE, Answer, SearchRequest, SimilarRequest
from rerank_service.retrieval import like_seed, retrieve, seed_of
from rerank_service.shelf import RankingBundle
from rerank_service.snapshot import Snapshots


class Searches:
    """Answers searches and similar items; blocking, safe to call from several threads.

    Args:
        engine: where the candidates come from.
        snapshots: what a request is served from.
        tally: counts the answers in the engine's order.
        kept: items whose vectors are kept in memory.
    """

    def __init__(self, engine: SearchEngine, snapshots: Snapshots, tally: Tally, kept: int = CAPACITY) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._tally = tally
        #: Items that were compared lately, and the model's side of a request, for other doors too.
        self.vectors = CandidateVectors(engine, kept)
        self.ranker = Ranker(self.vectors, snapshots, tally)

    def close(self) -> None:
        """Rank nothing more."""
        self.ranker.close()
        self.vectors.close()

    def search(self, request: SearchRequest) -> Answer:
        """The ranked window; the engine's order when there is nothing to rank by or the model fails.

        Raises:
            NotFound: there is no such kind.
            Unavailable: the engine does not answer, so there is no order at all.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        bundle: RankingBundle | None = None
        query: Array | None = None
        trouble: CannotRank | None = None
        if request.text or request.wants_history:
            try:
                bundle, query = self.ranker.prepare(snapshot, request)
            except CannotRank as error:
                trouble = error
        candidates = retrieve(self._engine, snapshot, request, query)
        ids, scores = [one.key.id for one in candidates], [one.score for one in candidates]
        try:
            if trouble is not None:
                raise trouble
            known = Known.of(candidates, snapshot.space)
            found = self.ranker.ranked(snapshot, request, bundle, query, ids, scores, known)
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return Answer(in_engine_order(ids, scores, request.rules).hits(candidates), degraded=error.reason)
        return Answer(found.ranked.hits(candidates), found.ranked_by, history_used=found.history_used)

    def similar(self, request: SimilarRequest) -> Answer:
        """The nearest items to one item, best first.

        Raises:
            NotFound: there is no such kind, or no such item for this scope.
            Unavailable: the engine does not answer.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        seed = seed_of(self._engine, snapshot, request)
        candidates, by_vector = like_seed(self._engine, snapshot, request, seed)
        ranked = in_engine_order([one.key.id for one in candidates], [one.score for one in candidates])
        hits = ranked.hits(candidates)
        if by_vector:
            return Answer(hits, ranked_by=ENGINE)
        self._tally.add(Degraded.SEED_PENDING)
        return Answer(hits, degraded=Degraded.SEED_PENDING)
