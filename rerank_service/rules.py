"""Rules: what the host lays on top of a ranking, by id: what stands first, what is left out, what is worth more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rules:
    """Applied after the scores are blended."""

    #: Ids that stand first, in this order, where they are among the candidates.
    pins: tuple[str, ...] = ()
    #: Ids that are left out.
    hides: frozenset[str] = frozenset()
    #: What is added to the score of a candidate that the model compares, by id.
    boosts: Mapping[str, float] = field(default_factory=dict)

    def added(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """``[n]`` what is added to each score."""
        return np.array([self.boosts.get(id_, 0.0) for id_ in ids], np.float64)

    def placed(self, ids: Sequence[str], order: list[int]) -> list[int]:
        """The order with what is hidden left out and what is pinned first; hiding wins over pinning.

        Args:
            ids: by place.
            order: places, best first.
        """
        if not self.pins and not self.hides:
            return order
        shown = [place for place in order if ids[place] not in self.hides]
        pinned = {id_: number for number, id_ in enumerate(self.pins)}
        first = sorted((place for place in shown if ids[place] in pinned), key=lambda place: pinned[ids[place]])
        return [*first, *(place for place in shown if ids[place] not in pinned)]


NO_RULES: Final = Rules()
