"""History: what the person did, as vectors in the snapshot's space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What the person did, as far as it says anything."""

    #: As the user tower reads it.
    history: History
    #: Kind and id of each item once, newest first.
    items: tuple[tuple[str, str], ...]

    def ids(self, kind: str) -> tuple[str, ...]:
        """Ids of the items of this kind, newest first."""
        return tuple(id_ for one, id_ in self.items if one == kind)


def read_history(
    engine: SearchEngine,
    generation_of: Callable[[str], str],
    *,
    scope: Scope,
    bundle: RankingBundle,
    events: Sequence[PastEvent],
    now: float,
) -> Past | None:
    """The newest 50 events that say anything, or None when none of them does.

    Items are looked up inside the scope: another tenant's id, a removed item and an unknown id are all the same
    nothing. An item without a vector in the space is left out too.

    Args:
        engine: where the items are.
        generation_of: the generation that serves a kind for this tenant.
        scope: who asks.
        bundle: the only space whose vectors are read, and which actions say anything.
        events: in any order.
        now: seconds since 1970.
    """
    telling = [event for event in events if bundle.counts(event.action)]
    newest = sorted(telling, key=lambda event: -event.timestamp)[:HISTORY_LENGTH]
    vectors = _vectors(engine, generation_of, scope, bundle.space, newest)
    used = [event for event in newest if (event.kind, event.id) in vectors]
    if not used:
        return None
    history = bundle.history(
        np.stack([vectors[event.kind, event.id] for event in used]),
        [event.action for event in used],
        [max(0.0, now - event.timestamp) for event in used],
    )
    return Past(history, tuple(dict.fromkeys((event.kind, event.id) for event in used)))


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
