"""Rows of the quality benchmark: rankers judged on the same cases, as figures and as ratios with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from recommender.evaluation.intervals import Interval, difference, ratio
from recommender.evaluation.metrics import RankingMetrics

#: Names of the metrics as attributes of `RankingMetrics`.
METRICS: Final = {"NDCG@10": "ndcg", "recall@10": "recall", "recall@20": "recall_deep", "MRR@10": "reciprocal_rank"}


def row(task: str, method: str, found: RankingMetrics) -> dict[str, Any]:
    """The figures of one method."""
    return {"task": task, "method": method, **{name: round(value, 4) for name, value in found.means().items()}}


def bar(
    task: str, metric: str, ours: NDArray[Any], baseline: NDArray[Any], against: str, reach: float, *, strict: bool
) -> dict[str, Any]:
    """Our figure against the baseline's on the same cases, and whether it reaches the bar.

    Args:
        task: of which task.
        metric: its name.
        ours: one figure for each case.
        baseline: one figure for each case.
        against: the baseline's name.
        reach: the ratio to reach.
        strict: whether the lower bound must be above 1 as well.
    """
    found = ratio(ours, baseline)
    reached = found.value >= reach and (not strict or found.low > 1)
    return _bar(task, metric, against, found, f">= {reach:g}" + (", low > 1" if strict else ""), reached, len(ours))


def gain(
    task: str, metric: str, ours: NDArray[Any], baseline: NDArray[Any], against: str, reach: float
) -> dict[str, Any]:
    """As `bar`, for a difference; with a bar of 0 its lower bound must be above it."""
    found = difference(ours, baseline)
    reached = found.low > 0 if reach == 0 else found.value >= reach
    return _bar(task, metric, against, found, f"+ {reach:g}" if reach else "low > 0", reached, len(ours))


def best_of(found: Mapping[str, RankingMetrics], metric: str, names: Sequence[str]) -> str:
    """The method with the best mean."""
    return max(names, key=lambda name: float(getattr(found[name], METRICS[metric]).mean()))


def _bar(
    task: str, metric: str, against: str, found: Interval, bound: str, reached: bool, cases: int
) -> dict[str, Any]:
    return {
        "task": task,
        "metric": metric,
        "against": against,
        "found": str(found),
        "bar": bound,
        "reached": "yes" if reached else "no",
        "cases": cases,
    }
