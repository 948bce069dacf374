"""Searches: snapshot, retrieval and ranking in one call, failing open towards the engine's order."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from domain.errors import SidetowerError
from domain.features import History
from domain.ports import SearchEngine
from domain.search import Candidate
from domain.vectors import Array
from rerank_service.degraded import WRONG_SPACE_HIT, CannotRank, Degraded, Tally
from rerank_service.history import read_history
from rerank_service.query_vectors import QueryVectors
from rerank_service.ranking import engine_order, rank
from rerank_service.request import ENGINE, Answer, SearchRequest, SimilarRequest
from rerank_service.retrieval import like_seed, retrieve, seed_of
from rerank_service.shelf import RankingBundle
from rerank_service.snapshot import Snapshot, Snapshots

#: Threads for the model; a network that hangs holds one of these, never one that talks to the engine.
MODEL_THREADS: Final = 8
#: Share of the deadline that loading the bundle and embedding the query may take, so that the engine has the rest.
PREPARATION_SHARE: Final = 0.5

T = TypeVar("T")


class Searches:
    """Answers searches and similar items; blocking, safe to call from several threads.

    Args:
        engine: where the candidates come from.
        snapshots: what a request is served from.
        tally: counts the answers in the engine's order.
        now: seconds since 1970.
    """

    def __init__(
        self, engine: SearchEngine, snapshots: Snapshots, tally: Tally, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._tally = tally
        self._now = now
        self._query_vectors = QueryVectors()
        self._pool = ThreadPoolExecutor(max_workers=MODEL_THREADS, thread_name_prefix="model")

    def close(self) -> None:
        """Rank nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

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
        if request.text or _wants_history(request):
            try:
                bundle, query = self._prepare(snapshot, request)
            except CannotRank as error:
                trouble = error
        candidates = retrieve(self._engine, snapshot, request, query)
        try:
            if trouble is not None:
                raise trouble
            return self._ranked(snapshot, request, bundle, query, candidates)
        except CannotRank as error:
            self._tally.add(error.reason, error.__cause__)
            return Answer(tuple(engine_order(candidates)), degraded=error.reason)

    def similar(self, request: SimilarRequest) -> Answer:
        """The nearest items to one item, best first.

        Raises:
            NotFound: there is no such kind, or no such item for this scope.
            Unavailable: the engine does not answer.
        """
        snapshot = self._snapshots.take(request.kind, request.scope.tenant)
        seed = seed_of(self._engine, snapshot, request)
        candidates, by_vector = like_seed(self._engine, snapshot, request, seed)
        hits = tuple(engine_order(candidates))
        if by_vector:
            return Answer(hits, ranked_by=ENGINE)
        self._tally.add(Degraded.SEED_PENDING)
        return Answer(hits, degraded=Degraded.SEED_PENDING)

    def _prepare(self, snapshot: Snapshot, request: SearchRequest) -> tuple[RankingBundle, Array | None]:
        deadline = request.deadline
        bundle = self._snapshots.model(snapshot, deadline.remaining(PREPARATION_SHARE))
        if not request.text:
            return bundle, None
        seconds = deadline.remaining(PREPARATION_SHARE)
        return bundle, self._within(seconds, lambda: self._query_vectors.get(bundle, request.text))

    def _ranked(
        self,
        snapshot: Snapshot,
        request: SearchRequest,
        bundle: RankingBundle | None,
        query: Array | None,
        candidates: list[Candidate],
    ) -> Answer:
        in_order = Answer(tuple(engine_order(candidates)), ranked_by=ENGINE)
        if bundle is None or request.weight == 0 or not candidates:
            return in_order
        wrong = sum(one.vector is not None and one.space != snapshot.space for one in candidates)
        self._tally.add(WRONG_SPACE_HIT, times=wrong)

        def work() -> Answer:
            history = self._history(snapshot, bundle, request) if request.history else None
            if query is None and history is None:
                if not request.text:
                    raise CannotRank(Degraded.HISTORY_UNKNOWN)
                return in_order
            hits = rank(candidates, bundle, query, history, request.weight)
            return Answer(tuple(hits), ranked_by=bundle.id, history_used=len(history.items) if history else 0)

        return self._within(request.deadline.remaining(), work)

    def _history(self, snapshot: Snapshot, bundle: RankingBundle, request: SearchRequest) -> History | None:
        scope = request.scope

        def generation_of(kind: str) -> str:
            # One request reads one generation of its own kind, even while the release changes.
            if kind == snapshot.kind.name:
                return snapshot.generation
            return self._snapshots.take(kind, scope.tenant).generation

        try:
            return read_history(
                self._engine, generation_of, scope=scope, bundle=bundle, events=request.history, now=self._now()
            )
        except SidetowerError as error:
            raise CannotRank(Degraded.HISTORY_UNAVAILABLE) from error

    def _within(self, seconds: float, work: Callable[[], T]) -> T:
        """What `work` returns, if it does so in time; after that nobody waits for it."""
        if seconds <= 0:
            raise CannotRank(Degraded.DEADLINE)
        future = self._pool.submit(work)
        try:
            return future.result(timeout=seconds)
        except CannotRank:
            raise
        except TimeoutError as error:
            future.cancel()
            raise CannotRank(Degraded.DEADLINE) from error
        except Exception as error:
            # Promise 6: whatever a network raises, the engine's order is answered.
            raise CannotRank(Degraded.MODEL_FAILED) from error


def _wants_history(request: SearchRequest) -> bool:
    return request.weight > 0 and bool(request.history or request.user)
