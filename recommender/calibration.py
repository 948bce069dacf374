"""Calibration: relevance as a probability, and the probability below which nothing is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from domain.vectors import Array


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt's curve (Platt 1999): probability = 1 / (1 + exp(-(slope x relevance + intercept)))."""

    slope: float
    intercept: float
    #: Probability from which on an item is offered.
    threshold: float

    def probability(self, relevance: Array) -> Array:
        """``[n]`` for the scorer's relevance ``[n]``."""
        exponent = np.clip(self.slope * np.asarray(relevance, np.float64) + self.intercept, -50.0, 50.0)
        return np.asarray(1 / (1 + np.exp(-exponent)), np.float32)

    def to_document(self) -> dict[str, float]:
        """The calibration as JSON."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_document` wrote."""
        return cls(**{name: float(document[name]) for name in cls.__slots__})
