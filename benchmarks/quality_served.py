"""Searches as the service ranks them: candidates, the engine's term and the bundle's own files."""

from __future__ import annotations

from collections.abc import Sequence

from domain.search import Candidate
from recommender.bundle import Bundle
from recommender.training.relevance import JudgedQuery
from rerank_service.known import Known
from rerank_service.ranking import engine_terms, rank


def served_order(bundle: Bundle, text: str, candidates: Sequence[Candidate]) -> list[int]:
    """Places of the candidates, best first, for somebody of whom nothing is known.

    Args:
        bundle: in whose space the candidates' vectors are.
        text: the query.
        candidates: of one tenant and kind, with the engine's scores.
    """
    ids, scores = [one.key.id for one in candidates], [one.score for one in candidates]
    query = bundle.embed_query(text)
    if query is None:
        return sorted(range(len(ids)), key=lambda place: (-scores[place], ids[place]))
    return rank(ids, scores, Known.of(candidates, bundle.space), bundle, query, None, 1.0, text=text).order


def as_judged(text: str, candidates: Sequence[Candidate], labels: Sequence[float]) -> JudgedQuery:
    """A judged query as training reads it."""
    terms = engine_terms([one.score for one in candidates]).tolist()
    return JudgedQuery(text, tuple(candidates), tuple(terms), tuple(labels))
