"""Shapley values: what query, user and signals each contributed to a score, so that they sum to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import factorial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.features import History, Scores
from domain.vectors import Array
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.shelf import RankingBundle

#: The groups of inputs that go through the networks. The engine's term does not: it is added as it is, so its
#: contribution is the term itself.
GROUPS: Final = ("query", "user", "signals")


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What the networks read of one request and its n candidates."""

    bundle: RankingBundle
    #: ``[128]`` or None.
    query: Array | None
    history: History | None
    #: ``[n, 128]``
    vectors: Array
    #: ``[n, s]``
    signals: Array


def scored(inputs: Inputs) -> Scores:
    """The scorer's answer.

    Raises:
        CannotRank: it is not one finite number for each candidate.
    """
    user = None if inputs.history is None else inputs.bundle.user_tower.embed(inputs.history, inputs.query)
    scores = inputs.bundle.scorer.score(inputs.query, user, inputs.vectors, inputs.signals)
    shape = (len(inputs.vectors),)
    sound = scores.relevance.shape == shape == scores.personal.shape
    # A sum is finite only if each of its terms is.
    if not sound or not np.isfinite(scores.relevance.sum() + scores.personal.sum() + scores.gate):
        raise CannotRank(Degraded.MODEL_FAILED)
    return scores


def contributions(inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """Exact Shapley values (Shapley 1953) of the groups, ``[n]`` each; they sum to relevance + gate x personal.

    A group that is left out is as if there were none of it: no query, no history, signals of zero. Without query and
    history the score is 0 whatever the signals are.
    """
    worth = {chosen: _worth(inputs, *chosen) for chosen in product((False, True), repeat=len(GROUPS))}
    found = {}
    for number, group in enumerate(GROUPS):
        total = np.zeros(len(inputs.vectors))
        for chosen, value in worth.items():
            if chosen[number]:
                others = sum(chosen) - 1
                share = factorial(others) * factorial(len(GROUPS) - others - 1) / factorial(len(GROUPS))
                without = tuple(flag and place != number for place, flag in enumerate(chosen))
                total += share * (value - worth[without])
        found[group] = total
    return found


def _worth(inputs: Inputs, query: bool, user: bool, signals: bool) -> NDArray[np.float64]:
    """The score with only these groups."""
    if not query and not user:
        return np.zeros(len(inputs.vectors))
    found = scored(
        Inputs(
            inputs.bundle,
            inputs.query if query else None,
            inputs.history if user else None,
            inputs.vectors,
            inputs.signals if signals else np.zeros_like(inputs.signals),
        )
    )
    return found.relevance.astype(np.float64) + found.gate * found.personal.astype(np.float64)
