"""Ranking: score = engine + weight x (relevance + gate x personal), and what the host lays on top of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.features import History
from domain.search import Candidate, Hit
from domain.vectors import Array
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.known import Known
from rerank_service.rules import NO_RULES, Rules
from rerank_service.shapley import Inputs, contributions, scored
from rerank_service.shelf import RankingBundle

Terms = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Candidates in their final order, told by their 0-based places in the engine's order."""

    #: Best first.
    order: list[int]
    #: ``[n]`` by place.
    scores: list[float]
    #: What each part added, ``[n]`` by place; a candidate that could not be compared has its engine term alone.
    parts: Mapping[str, list[float]]
    #: ``[n]`` whether the model had a say in it.
    compared: Sequence[bool]
    #: What each of engine, query, user and signals contributed, ``[n]`` by place, where it was asked for.
    shares: Mapping[str, list[float]] = field(default_factory=dict)

    def told_parts(self, place: int) -> dict[str, float]:
        """What each part added to the score of the candidate at this place."""
        if not self.compared[place]:
            return {"engine": self.parts["engine"][place]}
        return {name: values[place] for name, values in self.parts.items() if name != "boost" or values[place]}

    def told_shares(self, place: int) -> dict[str, float]:
        """What the groups of inputs contributed to it; empty where it was not asked for."""
        return {name: values[place] for name, values in self.shares.items()}

    def hits(self, candidates: Sequence[Candidate]) -> tuple[Hit, ...]:
        """The candidates as hits, best first."""
        return tuple(
            Hit(
                candidates[place].item,
                self.scores[place],
                place + 1,
                self.told_parts(place),
                self.told_shares(place),
            )
            for place in self.order
        )


def in_engine_order(ids: Sequence[str], scores: Sequence[float], rules: Rules = NO_RULES) -> Ranked:
    """The candidates as the engine ordered and scored them, bit for bit; only pins and hides change it."""
    told = list(scores)
    return Ranked(rules.placed(ids, list(range(len(told)))), told, {"engine": told}, [False] * len(told))


def engine_terms(scores: Sequence[float]) -> Terms:
    """Each engine score scaled to 0 to 1 between the lowest and the highest of the candidates; all equal gives 0.

    BM25, fused ranks and cosines have scales of their own; within one answer only their order and distances count.
    """
    told = np.array(scores, np.float64)
    low, high = (told.min(), told.max()) if len(told) else (0.0, 0.0)
    if high <= low:
        return np.zeros(len(told))
    return np.asarray((told - low) / (high - low), np.float64)


def rank(
    ids: Sequence[str],
    engine_scores: Sequence[float],
    known: Known,
    bundle: RankingBundle,
    query: Array | None,
    history: History | None,
    weight: float,
    *,
    text: str = "",
    acted: Sequence[str] = (),
    rules: Rules = NO_RULES,
    explain: bool = False,
) -> Ranked:
    """The candidates in the model's order; ties by id.

    A candidate without a vector in the bundle's space keeps its engine rank: it stands in the result exactly where
    the engine put it, and the others fill the remaining places by falling score. Its score is its engine term alone,
    so scores may rise once after it.

    Args:
        ids: ``[n]`` of the candidates, best first.
        engine_scores: ``[n]``.
        known: ``[n]`` what can be compared.
        bundle: user tower and scorer.
        query: ``[128]`` or None.
        history: what the person did, or None.
        weight: 0 to 1.
        text: the query, for the signals that look for it in items.
        acted: ids of the history's items of the candidates' kind, for the signals that count neighbours.
        rules: what the host lays on top.
        explain: tell what each group of inputs contributed.

    Raises:
        CannotRank: no candidate has a vector, or the model's answer is not one finite number for each.
    """
    moving = np.flatnonzero(known.comparable)
    if not len(moving):
        raise CannotRank(Degraded.NO_VECTORS)
    candidates = [one for index in moving if (one := known.candidates[index]) is not None]
    whole = len(moving) == len(ids)
    vectors = known.vectors if whole else known.vectors[moving]
    inputs = Inputs(bundle, query, history, vectors, bundle.signals(candidates, acted, text))
    found = scored(inputs)
    parts = {"engine": engine_terms(engine_scores)}
    parts |= {name: np.zeros(len(ids)) for name in ("relevance", "personal")}
    parts["relevance"][moving] = weight * found.relevance
    parts["personal"][moving] = weight * found.gate * found.personal
    if rules.boosts:
        parts["boost"] = np.where(known.comparable, rules.added(ids), 0.0)
    scores = sum(parts.values(), np.zeros(len(ids))).tolist()
    shares: dict[str, Terms] = {}
    if explain:
        shares = _shares(parts, inputs, moving, weight)
    order = list(range(len(ids)))
    ranked = sorted((-scores[place], ids[place], place) for place in moving.tolist())
    for index, (_, _, place) in zip(moving.tolist(), ranked, strict=True):
        order[index] = place
    return Ranked(
        rules.placed(ids, order),
        scores,
        {name: values.tolist() for name, values in parts.items()},
        known.comparable.tolist(),
        {name: values.tolist() for name, values in shares.items()},
    )


def _shares(parts: Mapping[str, Terms], inputs: Inputs, moving: NDArray[np.int64], weight: float) -> dict[str, Terms]:
    shares = {"engine": parts["engine"]}
    for name, values in contributions(inputs).items():
        shares[name] = np.zeros(len(parts["engine"]))
        shares[name][moving] = weight * values
    if "boost" in parts:
        shares["boost"] = parts["boost"]
    return shares
