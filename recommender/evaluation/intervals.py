"""Intervals: how far a figure may be off, by resampling the cases that two rankers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidQuery

ROUNDS: Final = 2_000
#: Share of the resampled figures inside the interval.
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds that hold 95 % of its resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio(ours: NDArray[Any], baseline: NDArray[Any], rounds: int = ROUNDS, seed: int = 0) -> Interval:
    """Mean of ours by mean of the baseline, both over the same resampled cases (paired bootstrap, Efron 1979).

    Args:
        ours: ``[cases]``.
        baseline: ``[cases]``, the same cases in the same order.
        rounds: how often to resample.
        seed: makes it repeatable.

    Raises:
        InvalidQuery: the cases are not paired, there is none, or the baseline is 0 everywhere.
    """
    _check(ours, baseline)
    if not baseline.any():
        raise InvalidQuery("baseline", expected="a mean above 0", got="0", fix="Report the difference instead.")
    above, below = _means(np.stack([ours, baseline], axis=1), rounds, seed).T
    ratios = np.divide(above, below, out=np.full(rounds, np.inf), where=below > 0)
    return _interval(float(ours.mean() / baseline.mean()), ratios)


def difference(ours: NDArray[Any], baseline: NDArray[Any], rounds: int = ROUNDS, seed: int = 0) -> Interval:
    """Mean of ours minus mean of the baseline, paired as in `ratio`."""
    _check(ours, baseline)
    gains = np.asarray(ours, np.float64) - baseline
    return _interval(float(gains.mean()), _means(gains[:, np.newaxis], rounds, seed)[:, 0])


def intervals(table: NDArray[Any], rounds: int = ROUNDS, seed: int = 0) -> list[Interval]:
    """The mean of every column ``[cases, columns]``, all over the same resampled cases: differences are paired."""
    _check(table[:, 0], table[:, -1])
    resampled = _means(np.asarray(table, np.float64), rounds, seed)
    return [_interval(float(column.mean()), drawn) for column, drawn in zip(table.T, resampled.T, strict=True)]


def _means(table: NDArray[Any], rounds: int, seed: int) -> NDArray[Any]:
    """``[rounds, columns]`` column means of resampled rows."""
    rng = np.random.default_rng(seed)
    cases = len(table)
    # How often each case is drawn: one matrix product then gives all means.
    draws = rng.multinomial(cases, np.full(cases, 1 / cases), size=rounds)
    return np.asarray(draws @ table / cases)


def _interval(value: float, resampled: NDArray[Any]) -> Interval:
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, float(low), float(high))


def _check(ours: NDArray[Any], baseline: NDArray[Any]) -> None:
    if ours.shape != baseline.shape or ours.ndim != 1 or not len(ours):
        raise InvalidQuery(
            "cases",
            expected="the same cases for both, at least one",
            got=f"{ours.shape} and {baseline.shape}",
            fix="Judge both rankers on one list of cases.",
        )
