"""Ranking: score = engine + weight x (relevance + gate x personal)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.features import History, Scores
from domain.search import Candidate, Hit
from domain.vectors import Array
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.retrieval import has_vector
from rerank_service.shelf import RankingBundle


def engine_order(candidates: Sequence[Candidate]) -> list[Hit]:
    """The candidates as the engine ordered and scored them, bit for bit."""
    return [
        Hit(candidate.item, candidate.score, rank, {"engine": candidate.score})
        for rank, candidate in enumerate(candidates, start=1)
    ]


def engine_terms(candidates: Sequence[Candidate]) -> list[float]:
    """Each engine score scaled to 0 to 1 between the lowest and the highest of the candidates; all equal gives 0.

    BM25, fused ranks and cosines have scales of their own; within one answer only their order and distances count.
    """
    if not candidates:
        return []
    scores = [candidate.score for candidate in candidates]
    low, high = min(scores), max(scores)
    if high <= low:
        return [0.0] * len(scores)
    return [(score - low) / (high - low) for score in scores]


def rank(
    candidates: Sequence[Candidate],
    bundle: RankingBundle,
    query: Array | None,
    history: History | None,
    weight: float,
    *,
    acted: Sequence[str] = (),
) -> list[Hit]:
    """The candidates in the model's order; ties by id.

    A candidate without a vector in the bundle's space keeps its engine rank: it stands in the result exactly where
    the engine put it, and the others fill the remaining places by falling score. Its score is its engine term alone,
    so scores may rise once after it.

    Args:
        candidates: best first.
        bundle: user tower and scorer.
        query: ``[128]`` or None.
        history: what the person did, or None.
        weight: 0 to 1.
        acted: ids of the history's items of the candidates' kind, for the signals that count neighbours.

    Raises:
        CannotRank: no candidate has a vector, or the model's answer is not one finite number for each.
    """
    moving = [index for index, candidate in enumerate(candidates) if has_vector(candidate, bundle.space)]
    if not moving:
        raise CannotRank(Degraded.NO_VECTORS)
    terms = engine_terms(candidates)
    scores = _scores([candidates[index] for index in moving], bundle, query, history, acted)
    ranked = [
        _hit(candidates[index], index + 1, engine=terms[index], relevance=relevance, personal=personal)
        for index, relevance, personal in zip(
            moving, weight * scores.relevance, weight * scores.gate * scores.personal, strict=True
        )
    ]
    ranked.sort(key=lambda hit: (-hit.score, hit.item.key.id))
    result = [_hit(candidate, index + 1, engine=terms[index]) for index, candidate in enumerate(candidates)]
    for index, hit in zip(moving, ranked, strict=True):
        result[index] = hit
    return result


def _scores(
    candidates: Sequence[Candidate],
    bundle: RankingBundle,
    query: Array | None,
    history: History | None,
    acted: Sequence[str],
) -> Scores:
    user = None if history is None else bundle.user_tower.embed(history, query)
    vectors = np.stack([candidate.vector for candidate in candidates if candidate.vector is not None])
    scores = bundle.scorer.score(query, user, vectors, bundle.signals(candidates, acted))
    shape = (len(candidates),)
    sound = scores.relevance.shape == shape == scores.personal.shape
    if not sound or not np.isfinite([*scores.relevance, *scores.personal, scores.gate]).all():
        raise CannotRank(Degraded.MODEL_FAILED)
    return scores


def _hit(candidate: Candidate, engine_rank: int, **parts: float) -> Hit:
    told = {name: float(value) for name, value in parts.items()}
    return Hit(candidate.item, sum(told.values()), engine_rank, told)
