"""The ranker: bundle, history and ranking of one request, each within the deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from domain.errors import SidetowerError
from domain.vectors import DIMENSIONS, Array
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.degraded import WRONG_SPACE_HIT, CannotRank, Degraded, Tally
from rerank_service.history import Past, read_history
from rerank_service.known import Known
from rerank_service.query_vectors import QueryVectors
from rerank_service.ranking import Ranked, in_engine_order, rank
from rerank_service.request import ENGINE, RankRequest
from rerank_service.shelf import RankingBundle
from rerank_service.snapshot import Snapshot, Snapshots

#: Threads for the model; a network that hangs holds one of these, never one that talks to the engine.
MODEL_THREADS: Final = 8
#: Share of the deadline that loading the bundle and embedding the query may take, so that the engine has the rest.
PREPARATION_SHARE: Final = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one ranking."""

    ranked: Ranked
    #: As in `Answer`.
    ranked_by: str
    history_used: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """What is known of a person."""

    #: Unit vector ``[128]`` in the item space.
    user: Array
    #: Ids of the items of the request's kind that they acted upon.
    acted: tuple[str, ...]


class Ranker:
    """Ranks candidates; blocking, safe to call from several threads.

    Args:
        vectors: where the items of histories are read.
        snapshots: what a request is served from.
        tally: counts hits of a wrong space.
    """

    def __init__(self, vectors: CandidateVectors, snapshots: Snapshots, tally: Tally) -> None:
        self._vectors = vectors
        self._snapshots = snapshots
        self._tally = tally
        self._query_vectors = QueryVectors()
        self._pool = ThreadPoolExecutor(max_workers=MODEL_THREADS, thread_name_prefix="model")

    def close(self) -> None:
        """Rank nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def prepare(self, snapshot: Snapshot, request: RankRequest) -> tuple[RankingBundle, Array | None]:
        """The bundle, and the query's vector ``[128]`` where there is a text that it knows.

        Raises:
            CannotRank: not within half of the deadline, or not at all.
        """
        deadline = request.deadline
        bundle = self._snapshots.model(snapshot, deadline.remaining(PREPARATION_SHARE))
        if not request.text:
            return bundle, None
        if self._query_vectors.known(bundle, request.text):
            return bundle, self._query_vectors.get(bundle, request.text)
        seconds = deadline.remaining(PREPARATION_SHARE)
        return bundle, self.within(seconds, lambda: self._query_vectors.get(bundle, request.text))

    def ranked(
        self,
        snapshot: Snapshot,
        request: RankRequest,
        bundle: RankingBundle | None,
        query: Array | None,
        ids: Sequence[str],
        scores: Sequence[float],
        known: Known,
    ) -> Outcome:
        """The candidates ranked, or in their own order where there is nothing to rank by.

        Args:
            snapshot: what the request is served from.
            request: what to rank by.
            bundle: from `prepare`, None where the model is not wanted.
            query: from `prepare`.
            ids: ``[n]`` of the candidates, best first.
            scores: ``[n]`` of the engine.
            known: ``[n]`` what can be compared.

        Raises:
            CannotRank: the model failed, or was not done within the deadline.
        """
        if bundle is None or request.weight == 0 or not ids:
            return Outcome(in_engine_order(ids, scores, request.rules), ENGINE)
        seconds = request.deadline.remaining()
        return self.within(seconds, lambda: self._rank(snapshot, request, bundle, query, ids, scores, known))

    def ranked_here(
        self,
        snapshot: Snapshot,
        request: RankRequest,
        bundle: RankingBundle,
        query: Array | None,
        ids: Sequence[str],
        scores: Sequence[float],
        known: Known,
    ) -> Outcome:
        """As `ranked`, in the thread of the caller, who looks after the deadline."""
        try:
            return self._rank(snapshot, request, bundle, query, ids, scores, known)
        except CannotRank:
            raise
        except Exception as error:
            # Promise 6, as in `within`.
            raise CannotRank(Degraded.MODEL_FAILED) from error

    def _rank(
        self,
        snapshot: Snapshot,
        request: RankRequest,
        bundle: RankingBundle,
        query: Array | None,
        ids: Sequence[str],
        scores: Sequence[float],
        known: Known,
    ) -> Outcome:
        self._tally.add(WRONG_SPACE_HIT, times=known.of_other_spaces(snapshot.space))
        past = self.past(snapshot, bundle, request)
        if query is None and past is None:
            if not request.text:
                raise CannotRank(Degraded.HISTORY_UNKNOWN)
            return Outcome(in_engine_order(ids, scores, request.rules), ENGINE)
        history = past.history if past else None
        acted = past.ids(snapshot.kind.name) if past else ()
        found = rank(
            ids,
            scores,
            known,
            bundle,
            query,
            history,
            request.weight,
            acted=acted,
            text=request.text,
            rules=request.rules,
            explain=request.explain,
        )
        return Outcome(found, bundle.id, len(history.items) if history else 0)

    def taste(self, snapshot: Snapshot, bundle: RankingBundle, request: RankRequest) -> Taste | None:
        """The person as a vector; None where nothing of their history says anything.

        Raises:
            CannotRank: the model failed, or was not done within the deadline.
        """

        def work() -> Taste | None:
            past = self.past(snapshot, bundle, request)
            if past is None:
                return None
            user = bundle.user_tower.embed(past.history, None)
            if user.shape != (DIMENSIONS,) or not np.isfinite(user).all():
                raise CannotRank(Degraded.MODEL_FAILED)
            return Taste(user, past.ids(snapshot.kind.name)) if user.any() else None

        return self.within(request.deadline.remaining(), work)

    def past(self, snapshot: Snapshot, bundle: RankingBundle, request: RankRequest) -> Past | None:
        """What the person did, as far as it says anything.

        Raises:
            CannotRank: it could not be read, or not in time.
        """
        if not request.history:
            return None
        scope = request.scope

        def generation_of(kind: str) -> str:
            # One request reads one generation of its own kind, even while the release changes.
            if kind == snapshot.kind.name:
                return snapshot.generation
            return self._snapshots.take(kind, scope.tenant).generation

        try:
            return read_history(
                self._vectors,
                generation_of,
                scope=scope,
                bundle=bundle,
                events=request.history,
                now=time.time(),
                deadline=request.deadline,
            )
        except SidetowerError as error:
            raise CannotRank(Degraded.HISTORY_UNAVAILABLE) from error

    def within(self, seconds: float, work: Callable[[], T]) -> T:
        """What `work` returns, if it does so in time; after that nobody waits for it.

        Raises:
            CannotRank: it raised, or took longer.
        """
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
