"""Diversity: hits that are good and unlike each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

import numpy as np

from domain.items import ItemKey
from domain.search import Hit
from domain.vectors import DIMENSIONS, Array


def diverse(
    hits: Sequence[Hit],
    vectors: Mapping[ItemKey, Array | None],
    diversity: float,
    limit: int,
    pins: Collection[str] = (),
) -> tuple[Hit, ...]:
    """The first hits of a list that is made one by one: good, and unlike the ones before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each time the greatest
    (1 - diversity) x score - diversity x greatest cosine to what was chosen, scores scaled to 0 to 1. Ties go to the
    better place.

    Args:
        hits: best first.
        vectors: unit vectors ``[128]``; an item without one is like nothing.
        diversity: 0 leaves the order as it is.
        limit: how many.
        pins: ids whose hits stay at the head.
    """
    if not diversity or not hits:
        return tuple(hits[:limit])
    rows = np.zeros((len(hits), DIMENSIONS), np.float32)
    for place, hit in enumerate(hits):
        if (vector := vectors.get(hit.item.key)) is not None:
            rows[place] = vector
    scores = np.array([hit.score for hit in hits], np.float64)
    spread = float(scores.max() - scores.min())
    worth = (1 - diversity) * ((scores - scores.min()) / spread if spread > 0 else np.zeros(len(hits)))
    likeness = np.full(len(hits), -1.0)
    chosen: list[int] = []
    pinned = len(list(takewhile(lambda hit: hit.item.key.id in pins, hits)))
    for turn in range(min(limit, len(hits))):
        value = worth - diversity * (likeness if chosen else np.zeros(len(hits)))
        value[chosen] = -np.inf
        best = turn if turn < pinned else int(np.argmax(value))
        chosen.append(best)
        likeness = np.maximum(likeness, rows @ rows[best])
    return tuple(hits[place] for place in chosen)
