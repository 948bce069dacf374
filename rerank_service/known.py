"""Known: what is known of n items, side by side as the networks read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.search import Candidate
from domain.vectors import DIMENSIONS, Array


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Items by their place in a request."""

    #: ``[n]`` None for what is not there for this scope, or did not come in time.
    candidates: list[Candidate | None]
    #: ``[n, 128]`` unit vectors, zero where `comparable` does not hold.
    vectors: Array
    #: ``[n]`` whether there is a vector in the wanted space.
    comparable: NDArray[np.bool_]
    #: Why some could not be read.
    error: Exception | None = None

    @classmethod
    def nothing(cls, ids: Sequence[str]) -> Known:
        """Of these items nothing is known."""
        count = len(ids)
        return cls([None] * count, np.zeros((count, DIMENSIONS), np.float32), np.zeros(count, np.bool_))

    @classmethod
    def of(cls, candidates: Sequence[Candidate], space: str) -> Known:
        """Candidates that were retrieved with all that is known of them."""
        found = cls.nothing([""] * len(candidates))
        return found.joined(range(len(candidates)), candidates, space)

    def joined(self, places: Sequence[int], candidates: Sequence[Candidate | None], space: str) -> Known:
        """The same with these candidates at these places, which were read just now."""
        told, vectors, comparable = list(self.candidates), self.vectors.copy(), self.comparable.copy()
        for place, candidate in zip(places, candidates, strict=True):
            told[place] = candidate
            if candidate is not None and has_vector(candidate, space):
                vectors[place], comparable[place] = candidate.vector, True
        return replace(self, candidates=told, vectors=vectors, comparable=comparable)

    def first(self, count: int) -> Known:
        """The first so many of them."""
        return replace(
            self,
            candidates=self.candidates[:count],
            vectors=self.vectors[:count],
            comparable=self.comparable[:count],
        )

    def failed(self, error: Exception) -> Known:
        """The same, the rest unread for this reason."""
        return replace(self, error=error)

    def of_other_spaces(self, space: str) -> int:
        """How many have a vector that cannot be compared."""
        if self.comparable.all():
            return 0
        return sum(one is not None and one.space not in ("", space) for one in self.candidates)


def has_vector(candidate: Candidate, space: str) -> bool:
    """Whether the candidate can be compared in this space."""
    return candidate.vector is not None and candidate.space == space
