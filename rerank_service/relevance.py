"""Relevance: documents with scores of 0 to 1, best first, as clients of the Cohere-style rerank read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.vectors import Array

#: Decimals of a score. 11 characters and at most 10 significant digits: clients in Java cast a number to Double, and
#: their JSON reader turns one of more than 18 characters into something else, as it does one without a decimal point.
DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Relevance:
    """One document's place in the answer."""

    #: 0-based place in the request.
    index: int
    #: 0 to 1, rounded to `DECIMALS`.
    score: float

    @property
    def number(self) -> str:
        """The score as JSON: never an exponent, always a decimal point."""
        return f"{self.score:.{DECIMALS}f}"


def by_text(query: Array, documents: Array) -> list[Relevance]:
    """Documents by their cosine with the query, ``(1 + cosine) / 2``; 0 for one that could not be read. Ties by index.

    Args:
        query: ``[d]`` unit vector.
        documents: ``[n, d]`` unit vectors, or zero.
    """
    scores = np.clip((1 + documents.astype(np.float64) @ query.astype(np.float64)) / 2, 0, 1)
    scores[~documents.any(axis=1)] = 0
    found = [Relevance(index, round(float(score), DECIMALS)) for index, score in enumerate(scores)]
    return sorted(found, key=lambda one: (-one.score, one.index))


def by_place(order: Sequence[int]) -> list[Relevance]:
    """Documents in an order that is decided already: the first of n scores n / n, the last 1 / n.

    Clients sort by the score, so it has to fall with the place whatever decided the order.
    """
    return [Relevance(index, round(1 - place / len(order), DECIMALS)) for place, index in enumerate(order)]
