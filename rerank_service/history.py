"""History: what the person did, as vectors in the snapshot's space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from domain.features import History
from domain.ports import SearchEngine
from domain.search import Scope
from domain.vectors import Array
from rerank_service.request import PastEvent
from rerank_service.retrieval import has_vector
from rerank_service.shelf import RankingBundle

#: The user tower reads this many events, the newest.
HISTORY_LENGTH: Final = 50


def read_history(
    engine: SearchEngine,
    generation_of: Callable[[str], str],
    *,
    scope: Scope,
    bundle: RankingBundle,
    events: Sequence[PastEvent],
    now: float,
) -> History | None:
    """The newest 50 events as the user tower reads them, or None when none of them says anything.

    Items are looked up inside the scope: another tenant's id, a removed item and an unknown id are all the same
    nothing. An item without a vector in the space is left out too.

    Args:
        engine: where the items are.
        generation_of: the generation that serves a kind for this tenant.
        scope: who asks.
        bundle: the only space whose vectors are read, and how much an action says.
        events: in any order.
        now: seconds since 1970.
    """
    newest = sorted(events, key=lambda event: -event.timestamp)[:HISTORY_LENGTH]
    vectors = _vectors(engine, generation_of, scope, bundle.space, newest)
    used = [event for event in newest if (event.kind, event.id) in vectors]
    if not used:
        return None
    history = bundle.history(
        np.stack([vectors[event.kind, event.id] for event in used]),
        [event.action for event in used],
        [max(0.0, now - event.timestamp) for event in used],
    )
    return history if len(history.items) else None


def _vectors(
    engine: SearchEngine,
    generation_of: Callable[[str], str],
    scope: Scope,
    space: str,
    events: Sequence[PastEvent],
) -> dict[tuple[str, str], Array]:
    vectors = {}
    for kind in sorted({event.kind for event in events}):
        ids = list(dict.fromkeys(event.id for event in events if event.kind == kind))
        for id_, candidate in engine.lookup(generation_of(kind), scope, ids).items():
            if candidate.vector is not None and has_vector(candidate, space):
                vectors[kind, id_] = candidate.vector
    return vectors
