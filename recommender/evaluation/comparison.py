"""Comparison: a bundle beside baselines on the same cases, slice by slice, with intervals and in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.evaluation.intervals import Interval, intervals
from recommender.evaluation.metrics import DEPTH, RankingMetrics

#: What decides which of two rankers is better.
MAIN: Final = f"NDCG@{DEPTH}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How several rankers do on the same cases."""

    #: Which cases.
    slice: str
    cases: int
    #: Figures by method and metric.
    methods: Mapping[str, Mapping[str, Interval]]
    #: Ours minus each other one, by method and metric, over the same resampled cases.
    gains: Mapping[str, Mapping[str, Interval]]
    #: Name of ours.
    ours: str

    @property
    def best(self) -> str:
        """The best of the others."""
        return max(self.gains, key=lambda name: self.methods[name][MAIN].value)

    @property
    def winner(self) -> str | None:
        """Ours, or the best of the others; None where these cases cannot tell."""
        gain = self.gains[self.best][MAIN]
        return self.ours if gain.low > 0 else self.best if gain.high < 0 else None

    def verdict(self) -> str:
        """Who ranks better, in one sentence."""
        best, gain = self.best, self.gains[self.best][MAIN]
        figures = f"{MAIN} {self.methods[self.ours][MAIN].value:.3f} against {self.methods[best][MAIN].value:.3f}"
        told = f"{figures}, difference {gain}, {self.cases:,} cases"
        if self.winner == self.ours:
            return f"{self.slice}: the bundle is better than every baseline, of which {best} is the best ({told})."
        if self.winner == best:
            return f"{self.slice}: {best} is better than the bundle ({told})."
        return f"{self.slice}: these cases show no difference to {best} ({told})."

    def to_document(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {
            "slice": self.slice,
            "cases": self.cases,
            "methods": {name: _figures(one) for name, one in self.methods.items()},
            "gains": {name: _figures(one) for name, one in self.gains.items()},
            "best_baseline": self.best,
            "winner": self.winner,
            "verdict": self.verdict(),
        }


def compare(slice_: str, found: Mapping[str, RankingMetrics], ours: str, alike: tuple[str, ...] = ()) -> Comparison:
    """The figures of all methods on the same cases.

    Args:
        slice_: which cases.
        found: by method, at least one case and two methods.
        ours: the method that is compared with the others.
        alike: other methods of ours, which are no baselines.
    """
    columns = {name: one.columns() for name, one in found.items()}
    others = [name for name in found if name != ours and name not in alike]
    metrics = list(columns[ours])
    values = [columns[name][metric] for name in found for metric in metrics]
    values += [columns[ours][metric] - columns[name][metric] for name in others for metric in metrics]
    told = iter(intervals(np.stack(values, axis=1)))
    methods = {name: {metric: next(told) for metric in metrics} for name in found}
    gains = {name: {metric: next(told) for metric in metrics} for name in others}
    return Comparison(slice_, len(values[0]), methods, gains, ours)


def _figures(found: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {
        metric: {"value": round(one.value, 5), "low": round(one.low, 5), "high": round(one.high, 5)}
        for metric, one in found.items()
    }
