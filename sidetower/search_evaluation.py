"""Evaluation of searches: judged candidates in the bundle's order beside the engine's and BM25's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from domain.errors import ConfigurationError
from domain.vectors import Array
from sidetower.judgments import Judgment, judged_queries

if TYPE_CHECKING:
    from domain.catalogue import Kind
    from domain.items import Item
    from domain.ports import SearchEngine
    from recommender.bundle import Bundle
    from recommender.evaluation.comparison import Comparison
    from recommender.evaluation.metrics import RankingMetrics
    from recommender.evaluation.platt import Reliability
    from recommender.training.relevance import JudgedQuery

#: Fewer queries than this say nothing.
FEWEST_QUERIES: Final = 20
OURS: Final = "bundle"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SearchEvaluation:
    """How a bundle orders judged candidates."""

    #: All queries first, then those of each tenant where there are several.
    comparisons: Sequence[Comparison]
    #: How far its probabilities can be believed; None where the bundle has no calibration.
    reliability: Reliability | None
    doubts: Sequence[str] = field(default_factory=list)

    def to_document(self) -> dict[str, Any]:
        """The evaluation as JSON."""
        return {
            "slices": [one.to_document() for one in self.comparisons],
            "reliability": self.reliability.to_document() if self.reliability else None,
            "doubts": list(self.doubts),
        }


def evaluate_searches(
    engine: SearchEngine,
    generation: str,
    kind: Kind,
    bundle: Bundle,
    items: Sequence[Item],
    judgments: Sequence[Judgment],
    tell: Progress,
) -> SearchEvaluation:
    """Order the judged candidates of the reported queries, 15 % by a hash of their text, and compare.

    Args:
        engine: where the items are.
        generation: which is served.
        kind: of the items.
        bundle: of the generation's space.
        items: all of the generation; BM25 counts their words.
        judgments: all; those of other queries are left out.
        tell: told about progress.

    Raises:
        ConfigurationError: too few queries to say anything, or `bm25s` is not installed.
    """
    from recommender.evaluation.comparison import compare
    from recommender.evaluation.splits import is_reported

    asked = [one for one in judgments if is_reported(one.query)]
    queries = [one for one in judged_queries(engine, generation, bundle, asked, tell) if one.tells]
    if len(queries) < FEWEST_QUERIES:
        raise ConfigurationError(
            "judgments",
            expected=f"at least {FEWEST_QUERIES} queries with candidates that fit and others that do not, "
            "of the 15 % that are reported on",
            got=str(len(queries)),
            fix="Judge more queries; until then the answer is not known.",
        )
    scores = {
        "engine order": [np.array(query.engine, np.float32) for query in queries],
        "BM25": _bm25(kind, items, queries, tell),
    }
    relevance = [relevance_of(bundle, query) for query in queries]
    scores[OURS] = [engine + own for engine, own in zip(scores["engine order"], relevance, strict=True)]
    found = {name: _judged(queries, some) for name, some in scores.items()}
    tenants = np.array([query.candidates[0].item.key.tenant for query in queries])
    comparisons = [compare("searches", found, OURS)]
    for tenant in sorted(set(tenants.tolist())) if len(set(tenants.tolist())) > 1 else ():
        rows = tenants == tenant
        comparisons.append(compare(f"searches of {tenant}", {name: one.of(rows) for name, one in found.items()}, OURS))
    return SearchEvaluation(
        comparisons, _reliability(bundle, queries, relevance), doubts(bundle.id, bundle.manifest.metrics)
    )


def relevance_of(bundle: Bundle, query: JudgedQuery) -> Array:
    """``[n]`` What the scorer says of the candidates, for nobody in particular; 0 for a query without a known word."""
    vector = bundle.embed_query(query.text)
    if vector is None:
        return np.zeros(len(query.candidates), np.float32)
    vectors = np.stack([one.vector for one in query.candidates if one.vector is not None])
    return bundle.scorer.score(vector, None, vectors, bundle.signals(query.candidates, (), query.text)).relevance


def doubts(bundle: str, metrics: Mapping[str, Any]) -> list[str]:
    """Whether the bundle knows the answers, as far as its manifest tells."""
    from recommender.evaluation.splits import QUERIES_HELD_OUT, REPORTED_PERCENT

    if "relevance" not in metrics or metrics.get(QUERIES_HELD_OUT) == REPORTED_PERCENT:
        return []
    told = f"{bundle} learnt from the queries it is asked here, so its figures are too good."
    return [f"{told} Train one with --hold-out to know."]


def _bm25(kind: Kind, items: Sequence[Item], queries: Sequence[JudgedQuery], tell: Progress) -> list[Array]:
    """Scores of the candidates, counted over all items of their tenant with the kind's weights."""
    try:
        from recommender.evaluation.bm25 import Bm25
    except ImportError:
        fix = "pip install 'sidetower[train]'"
        raise ConfigurationError("bm25s", expected="it installed", got="nothing", fix=fix) from None
    own: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        own[item.key.tenant].append(item)
    found = []
    indexes: dict[str, tuple[Any, dict[str, int]]] = {}
    for done, query in enumerate(queries):
        tell("searching by BM25", done, len(queries))
        tenant = query.candidates[0].item.key.tenant
        if tenant not in indexes:
            rows = {item.key.id: row for row, item in enumerate(own[tenant])}
            indexes[tenant] = Bm25([item.texts for item in own[tenant]]), rows
        index, rows = indexes[tenant]
        scores = index.scores(query.text, kind.text)
        found.append(np.array([scores[rows[one.item.key.id]] for one in query.candidates], np.float32))
    return found


def _judged(queries: Sequence[JudgedQuery], scores: Sequence[Array]) -> RankingMetrics:
    from recommender.evaluation.metrics import judge_graded, ranking, tie_order

    ties = [tie_order([one.item.key.id for one in query.candidates]) for query in queries]
    rankings = [ranking(one, own).tolist() for one, own in zip(scores, ties, strict=True)]
    return judge_graded(rankings, [np.array(query.labels) for query in queries])


def _reliability(bundle: Bundle, queries: Sequence[JudgedQuery], relevance: Sequence[Array]) -> Reliability | None:
    from recommender.evaluation.platt import reliability

    if bundle.manifest.calibration is None:
        return None
    fits = np.array([label > 0 for query in queries for label in query.labels])
    return reliability(bundle.manifest.calibration, np.concatenate(relevance).astype(np.float64), fits)
