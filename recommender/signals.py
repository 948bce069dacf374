"""Signals: what the scorer reads of a candidate beside its vector, computed alike in training and in serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.search import Candidate
from domain.vectors import Array
from recommender.neighbour_file import NeighbourTables
from recommender.neighbours import SIGNALS as NEIGHBOUR_SIGNALS
from recommender.words import QUERY_SIGNALS

#: Computed for each request; every other name is a signal that the item brings along.
COMPUTED: Final = (*NEIGHBOUR_SIGNALS, *QUERY_SIGNALS)


def read_signals(
    names: Sequence[str],
    neighbours: NeighbourTables,
    candidates: Sequence[Candidate],
    history: Sequence[str] = (),
    asked: Array | None = None,
) -> Array:
    """The signals that a scorer was trained with, in its order.

    Args:
        names: of the columns: those of `COMPUTED`, and names of items' own signals.
        neighbours: of every tenant and kind.
        candidates: n of one tenant and kind, in any order.
        history: ids of the items of the same kind that the person acted upon.
        asked: ``[n, 7]`` of `QueryWords.columns`, None without a query.

    Returns:
        ``[n, s]``; 0 where nothing is known.
    """
    found = np.zeros((len(candidates), len(names)), np.float32)
    if not candidates:
        return found
    key = candidates[0].item.key
    table = None if set(NEIGHBOUR_SIGNALS).isdisjoint(names) else neighbours.of(key.tenant, key.kind)
    columns: dict[str, Array] = {}
    if table is not None:
        told = table.signals(history, [candidate.item.key.id for candidate in candidates])
        columns |= zip(NEIGHBOUR_SIGNALS, told.T, strict=True)
    if asked is not None:
        columns |= zip(QUERY_SIGNALS, asked.T, strict=True)
    for column, name in enumerate(names):
        if name in columns:
            found[:, column] = columns[name]
        elif name not in COMPUTED:
            found[:, column] = [candidate.item.signals.get(name, 0.0) for candidate in candidates]
    return found
