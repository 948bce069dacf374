"""Feeds: what one person may want, without a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.ports import SearchEngine
from domain.search import Candidate, Query, QueryVector, fuse
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.diversity import diverse
from rerank_service.holding import holds
from rerank_service.known import has_vector
from rerank_service.ranker import Taste
from rerank_service.request import ENGINE, POPULAR, WINDOW, Answer, RecommendRequest
from rerank_service.rerank_bodies import rank_scores
from rerank_service.retrieval import seen
from rerank_service.searches import Searches
from rerank_service.shelf import RankingBundle
from rerank_service.snapshot import Snapshot, Snapshots


class Feeds:
    """Recommends; blocking, safe to call from several threads.

    Args:
        engine: where the candidates come from.
        snapshots: what a request is served from.
        searches: rank them.
    """

    def __init__(self, engine: SearchEngine, snapshots: Snapshots, searches: Searches) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._searches = searches

    def recommend(self, request: RecommendRequest) -> Answer:
        """Items near the person's vector and neighbours of their history, ranked; for nobody what most people like.

        Raises:
            NotFound: there is no such kind.
            Unavailable: the engine does not answer.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        bundle: RankingBundle | None = None
        taste: Taste | None = None
        trouble: CannotRank | None = None
        try:
            bundle, _ = self._searches.ranker.prepare(snapshot, request)
            if request.wants_history:
                taste = self._searches.ranker.taste(snapshot, bundle, request)
        except CannotRank as error:
            trouble = error
        if taste is None and trouble is None and request.wants_history:
            trouble = CannotRank(Degraded.HISTORY_UNKNOWN)
        if taste is None or bundle is None:
            candidates, ranked_by = self._popular(snapshot, request, bundle)
            answer = self._searches.ranked(snapshot, request, None, None, candidates, trouble)
            answer = answer if trouble else replace(answer, ranked_by=ranked_by)
        else:
            candidates = self._for_taste(snapshot, request, bundle, taste)
            answer = self._searches.ranked(snapshot, request, bundle, None, candidates)
        vectors = {one.key: one.vector for one in candidates if has_vector(one, snapshot.space)}
        return replace(answer, hits=diverse(answer.hits, vectors, request.diversity, request.limit, request.rules.pins))

    def _for_taste(
        self, snapshot: Snapshot, request: RecommendRequest, bundle: RankingBundle, taste: Taste
    ) -> list[Candidate]:
        """Near items and neighbours, fused by rank."""
        query = QueryVector(taste.user, snapshot.space)
        near = self._engine.search(
            snapshot.generation,
            request.scope,
            Query(vector=query, filters=request.filters, exclude=seen(request), limit=WINDOW),
        )
        kin = self._these(snapshot, request, bundle.related(request.scope.tenant, request.kind, taste.acted, WINDOW))
        found = {one.key: one for one in (*kin, *near)}
        order = fuse([[one.key for one in near], [one.key for one in kin]], WINDOW)
        return [replace(found[key], score=score) for key, score in order]

    def _popular(
        self, snapshot: Snapshot, request: RecommendRequest, bundle: RankingBundle | None
    ) -> tuple[list[Candidate], str]:
        """What most people like; where nobody counted that, what passes the filters, in the engine's order."""
        ids = [] if bundle is None else bundle.popular(request.scope.tenant, request.kind, WINDOW)
        found = self._these(snapshot, request, ids)
        if found:
            scores = rank_scores(len(found))
            return [replace(one, score=score) for one, score in zip(found, scores, strict=True)], POPULAR
        query = Query(filters=request.filters, exclude=seen(request), limit=WINDOW)
        return self._engine.search(snapshot.generation, request.scope, query), ENGINE

    def _these(self, snapshot: Snapshot, request: RecommendRequest, ids: Sequence[str]) -> list[Candidate]:
        """The items of these ids that the scope may see and that pass the filters, in their order."""
        left_out = set(seen(request))
        wanted = [id_ for id_ in ids if id_ not in left_out]
        found = self._engine.lookup(snapshot.generation, request.scope, wanted) if wanted else {}
        return [found[id_] for id_ in wanted if id_ in found and holds(request.filters, found[id_].item)]
