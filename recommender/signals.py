"""Signals: what the scorer reads of a candidate beside its vector, computed alike in training and in serving."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.search import Candidate
from domain.vectors import Array
from recommender.neighbour_file import NeighbourTables
from recommender.neighbours import SIGNALS as NEIGHBOUR_SIGNALS


def read_signals(
    names: Sequence[str], neighbours: NeighbourTables, candidates: Sequence[Candidate], history: Sequence[str] = ()
) -> Array:
    """The signals that a scorer was trained with, in its order.

    Args:
        names: of the columns: those of `recommender.neighbours.SIGNALS`, and names of items' own signals.
        neighbours: of every tenant and kind.
        candidates: n of one tenant and kind, in any order.
        history: ids of the items of the same kind that the person acted upon.

    Returns:
        ``[n, s]``; 0 where nothing is known.
    """
    found = np.zeros((len(candidates), len(names)), np.float32)
    if not candidates:
        return found
    key = candidates[0].item.key
    table = None if set(NEIGHBOUR_SIGNALS).isdisjoint(names) else neighbours.of(key.tenant, key.kind)
    columns = None if table is None else table.signals(history, [candidate.item.key.id for candidate in candidates])
    for column, name in enumerate(names):
        if name not in NEIGHBOUR_SIGNALS:
            found[:, column] = [candidate.item.signals.get(name, 0.0) for candidate in candidates]
        elif columns is not None:
            found[:, column] = columns[:, NEIGHBOUR_SIGNALS.index(name)]
    return found
