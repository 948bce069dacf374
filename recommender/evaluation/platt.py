"""Platt scaling: a calibration fitted on judged pairs that nothing was trained on, and how far it can be believed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from recommender.calibration import Calibration

#: Fewer pairs of either kind calibrate nothing.
FEWEST_PAIRS: Final = 50
#: Pairs that a threshold stands on at least.
FEWEST_ABOVE: Final = 20
#: The threshold that offers nothing, where the precision is not to be had.
NEVER: Final = 1.0
BINS: Final = 10
_ROUNDS: Final = 100

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of about the same told probability."""

    pairs: int
    #: Mean of what was told.
    told: float
    #: Share of them that fit.
    seen: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far told probabilities agree with judgments."""

    bins: tuple[Bin, ...]
    #: Mean distance of told from seen, over the pairs (expected calibration error; Naeini et al., AAAI 2015).
    error: float
    #: Of the pairs at or above the threshold, the share that fits; None where there are none.
    precision: float | None
    #: Share of the fitting pairs that are at or above it.
    recall: float

    def __str__(self) -> str:
        told = f"Probabilities are off by {self.error:.3f} on average"
        if self.precision is None:
            return f"{told}; no pair reaches the threshold."
        return f"{told}; at or above the threshold {self.precision:.3f} fits, {self.recall:.3f} of all that does."

    def to_document(self) -> dict[str, Any]:
        """The figures as JSON."""
        return asdict(self)


def fit_calibration(relevance: Numbers, fits: NDArray[np.bool_], precision: float) -> Calibration:
    """The curve with the greatest likelihood, and the lowest threshold that has this precision on these pairs.

    Targets are smoothed as Platt has it, so that pairs that are told apart perfectly do not make the slope endless.

    Args:
        relevance: ``[pairs]``.
        fits: ``[pairs]``
        precision: of the pairs at or above the threshold, the share that should fit.

    Raises:
        ConfigurationError: too few pairs that fit, or that do not.
    """
    few = int(min(fits.sum(), (~fits).sum()))
    if few < FEWEST_PAIRS:
        raise ConfigurationError(
            "judgments",
            expected=f"at least {FEWEST_PAIRS} held-out pairs that fit, and as many that do not",
            got=str(few),
            fix="Judge more queries.",
        )
    slope, intercept = _newton(np.asarray(relevance, np.float64), fits)
    curve = Calibration(slope, intercept, NEVER)
    told = curve.probability(np.asarray(relevance, np.float32)).astype(np.float64)
    return Calibration(slope, intercept, _threshold(told, fits, precision))


def reliability(calibration: Calibration, relevance: Numbers, fits: NDArray[np.bool_]) -> Reliability:
    """How the calibration does on other pairs than it was fitted on.

    Args:
        calibration: of the bundle.
        relevance: ``[pairs]``, at least one.
        fits: ``[pairs]``
    """
    told = calibration.probability(np.asarray(relevance, np.float32)).astype(np.float64)
    order = np.argsort(told, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    bins = tuple(Bin(len(part), float(told[part].mean()), float(fits[part].mean())) for part in parts)
    above = told >= calibration.threshold
    return Reliability(
        bins=bins,
        error=sum(one.pairs * abs(one.told - one.seen) for one in bins) / len(told),
        precision=float(fits[above].mean()) if above.any() else None,
        recall=float(above[fits].mean()) if fits.any() else 0.0,
    )


def _newton(relevance: Numbers, fits: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept by Newton's method with halved steps (Lin, Lin and Weng, Machine Learning 2007)."""
    good, bad = int(fits.sum()), int((~fits).sum())
    targets = np.where(fits, (good + 1) / (good + 2), 1 / (bad + 2))
    inputs = np.stack([relevance, np.ones_like(relevance)], axis=1)
    found = np.array([0.0, np.log((good + 1) / (bad + 1))])

    def loss(parameters: Numbers) -> float:
        scores = inputs @ parameters
        return float((np.logaddexp(0, scores) - targets * scores).sum())

    for _ in range(_ROUNDS):
        told = 1 / (1 + np.exp(-np.clip(inputs @ found, -50, 50)))
        gradient = inputs.T @ (told - targets)
        curvature = (inputs * (told * (1 - told))[:, np.newaxis]).T @ inputs + 1e-9 * np.eye(2)
        step, before, size = np.linalg.solve(curvature, gradient), loss(found), 1.0
        while size > 1e-6 and loss(found - size * step) > before:
            size /= 2
        found = found - size * step
        if np.abs(gradient).max() < 1e-6 * len(targets):
            break
    return float(found[0]), float(found[1])


def _threshold(told: Numbers, fits: NDArray[np.bool_], precision: float) -> float:
    """The lowest probability at or above which this share fits; `NEVER` where no one is."""
    order = np.argsort(-told, kind="stable")
    above = np.cumsum(fits[order]) / np.arange(1, len(order) + 1)
    # Equal probabilities stand or fall together.
    last = np.append(told[order][1:] != told[order][:-1], True)
    good = np.flatnonzero(last & (above >= precision) & (np.arange(1, len(order) + 1) >= FEWEST_ABOVE))
    return float(told[order][good[-1]]) if len(good) else NEVER
