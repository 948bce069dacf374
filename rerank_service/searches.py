"""Searches: snapshot, retrieval and ranking in one call, failing open towards the engine's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.ports import SearchEngine
from domain.search import Candidate
from domain.vectors import Array
from rerank_service.candidate_vectors import CAPACITY, CandidateVectors
from rerank_service.degraded import CannotRank, Degraded, Tally
from rerank_service.diversity import diverse
from rerank_service.known import Known, has_vector
from rerank_service.ranker import Ranker
from rerank_service.ranking import in_engine_order
from rerank_service.request import WINDOW, Answer, RankRequest, SearchRequest, SimilarRequest
from rerank_service.retrieval import like_seed, retrieve, seed_of
from rerank_service.shelf import RankingBundle
from rerank_service.snapshot import Snapshot, Snapshots


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

    def search(self, request: SearchRequest, snapshot: Snapshot | None = None) -> Answer:
        """The ranked window; the engine's order when there is nothing to rank by or the model fails.

        Args:
            request: what is looked for.
            snapshot: what it is served from, where that is decided already.

        Raises:
            NotFound: there is no such kind.
            Unavailable: the engine does not answer, so there is no order at all.
        """
        snapshot = snapshot or self._snapshots.take(request.kind, request.scope.tenant)
        bundle: RankingBundle | None = None
        query: Array | None = None
        trouble: CannotRank | None = None
        if request.text or request.wants_history:
            try:
                bundle, query = self.ranker.prepare(snapshot, request)
            except CannotRank as error:
                trouble = error
        candidates = retrieve(self._engine, snapshot, request, query)
        return self.ranked(snapshot, request, bundle, query, candidates, trouble)

    def similar(self, request: SimilarRequest) -> Answer:
        """The nearest items to one item, best first; for a person those that suit them too.

        Raises:
            NotFound: there is no such kind, or no such item for this scope.
            Unavailable: the engine does not answer.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        seed = seed_of(self._engine, snapshot, request)
        limit = WINDOW if request.wants_history or request.diversity else request.limit
        candidates, by_vector = like_seed(self._engine, snapshot, request, seed, limit)
        bundle: RankingBundle | None = None
        trouble = None if by_vector else CannotRank(Degraded.SEED_PENDING)
        if by_vector and request.wants_history:
            try:
                bundle, _ = self.ranker.prepare(snapshot, request)
            except CannotRank as error:
                trouble = error
        answer = self.ranked(snapshot, request, bundle, None, candidates, trouble)
        vectors = {one.key: one.vector for one in candidates if has_vector(one, snapshot.space)}
        return replace(answer, hits=diverse(answer.hits, vectors, request.diversity, request.limit))

    def ranked(
        self,
        snapshot: Snapshot,
        request: RankRequest,
        bundle: RankingBundle | None,
        query: Array | None,
        candidates: Sequence[Candidate],
        trouble: CannotRank | None = None,
    ) -> Answer:
        """The candidates ranked for the request; in their own order, with the reason, where that fails.

        Args:
            snapshot: what it is served from.
            request: what to rank by.
            bundle: None where the model is not wanted.
            query: ``[128]`` or None.
            candidates: best first.
            trouble: what has failed already.
        """
        ids, scores = [one.key.id for one in candidates], [one.score for one in candidates]
        try:
            if trouble is not None:
                raise trouble
            known = Known.of(candidates, snapshot.space)
            found = self.ranker.ranked(snapshot, request, bundle, query, ids, scores, known)
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            hits = in_engine_order(ids, scores, request.rules).hits(candidates)
            return Answer(hits, degraded=error.reason, found=len(candidates))
        hits = found.ranked.hits(candidates)
        return Answer(hits, found.ranked_by, history_used=found.history_used, found=len(candidates))
