"""What a bundle makes of a case: the scores that the service computes, over all items or over a window of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle
from recommender.evaluation.cases import Act, Case, Order
from recommender.evaluation.metrics import Rows, ranking


class Served:
    """User tower, signals and scorer of a bundle, run as the service runs them.

    Args:
        bundle: whose networks.
        items: n of one tenant and kind, by row.
        vectors: ``[n, 128]`` in the bundle's space.
        longest: events of a history that are read; None = as many as the service reads.
    """

    def __init__(self, bundle: Bundle, items: Sequence[Item], vectors: Array, longest: int | None = None) -> None:
        self._bundle = bundle
        self._longest = bundle.manifest.history.length if longest is None else longest
        self._candidates = [Candidate(item, 0.0, 0) for item in items]
        self._vectors = vectors

    def scores(self, case: Case) -> Array:
        """``[n]`` personal scores of all items."""
        past = self._used(case)
        return self._score(past, self._user(case, past), range(len(self._candidates)))

    def windowed(self, window: int, ties: Rows) -> Order:
        """The way of a recommendation: the items nearest to the person's vector, then ranked.

        Args:
            window: how many are retrieved; what the person has is left out before.
            ties: from `metrics.tie_order`.
        """

        def order(case: Case) -> Sequence[int]:
            past = self._used(case)
            user = self._user(case, past)
            if not user.any():
                return []
            near = ranking(self._vectors @ user, ties, case.rows, window)
            best = ranking(self._score(past, user, near.tolist()), ties[near])
            return [int(near[place]) for place in best]

        return order

    def _used(self, case: Case) -> list[Act]:
        """The newest events that say anything."""
        return [act for act in case.past if self._bundle.counts(act.action)][: self._longest]

    def _user(self, case: Case, past: Sequence[Act]) -> Array:
        ages = [max(0.0, case.now - act.at) for act in past]
        rows = [act.row for act in past]
        history = self._bundle.history(self._vectors[rows], [act.action for act in past], ages)
        return self._bundle.user_tower.embed(history, None)

    def _score(self, past: Sequence[Act], user: Array, rows: Sequence[int]) -> Array:
        candidates = [self._candidates[row] for row in rows]
        signals = self._bundle.signals(candidates, [self._candidates[act.row].item.key.id for act in past])
        vectors = self._vectors if len(rows) == len(self._vectors) else self._vectors[list(rows)]
        found = self._bundle.scorer.score(None, user, vectors, signals)
        return np.asarray(found.gate * found.personal, np.float32)
