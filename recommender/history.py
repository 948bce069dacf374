"""Histories: a person's last events as the user tower reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from domain.features import History
from domain.vectors import DIMENSIONS, Array

SECONDS_OF_A_DAY: Final = 86_400.0
#: How much one action says about taste; being shown something says nothing.
ACTION_WEIGHTS: Final = {
    "impression": 0.0,
    "view": 1.0,
    "click": 1.0,
    "bookmark": 2.0,
    "add_to_cart": 3.0,
    "purchase": 4.0,
}


@dataclass(frozen=True, slots=True)
class HistoryRecipe:
    """How events become a history."""

    #: Events kept, the newest.
    length: int = 50
    #: By action name.
    weights: Mapping[str, float] = field(default_factory=lambda: dict(ACTION_WEIGHTS))
    #: Weight of an action that is not named.
    other: float = 1.0

    def weight(self, action: str) -> float:
        """How much an action says about taste."""
        return self.weights.get(action, self.other)

    def build(self, vectors: Array, action_names: Sequence[str], ages_seconds: Sequence[float]) -> History:
        """The history of these events, newest first; actions of weight 0 are left out.

        Args:
            vectors: ``[h, 128]`` item vectors, in any order of time.
            action_names: h names.
            ages_seconds: h ages; an event of the future has age 0.
        """
        weights = np.array([self.weight(name) for name in action_names], np.float32)
        ages = np.maximum(np.asarray(ages_seconds, np.float64), 0.0) / SECONDS_OF_A_DAY
        order = np.argsort(ages, kind="stable")
        order = order[weights[order] > 0][: self.length]
        items = np.asarray(vectors, np.float32).reshape(-1, DIMENSIONS)
        return History(items[order], weights[order], np.log1p(ages[order]).astype(np.float32))

    def to_document(self) -> dict[str, Any]:
        """The recipe as JSON."""
        return {"length": self.length, "weights": dict(self.weights), "other": self.other, "age": "log1p(days)"}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> HistoryRecipe:
        """The recipe that `to_document` wrote."""
        return cls(int(document["length"]), dict(document["weights"]), float(document["other"]))
