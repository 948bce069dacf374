"""History: what the person did, as vectors in the snapshot's space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.features import History
from domain.search import Scope
from domain.vectors import Array
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.deadline import Deadline
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.request import PastEvent
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


def telling_events(bundle: RankingBundle, events: Sequence[PastEvent]) -> list[PastEvent]:
    """The newest 50 events that say anything, newest first."""
    telling = [event for event in events if bundle.counts(event.action)]
    return sorted(telling, key=lambda event: -event.timestamp)[:HISTORY_LENGTH]


def read_history(
    vectors: CandidateVectors,
    generation_of: Callable[[str], str],
    *,
    scope: Scope,
    bundle: RankingBundle,
    events: Sequence[PastEvent],
    now: float,
    deadline: Deadline,
) -> Past | None:
    """The newest 50 events that say anything, or None when none of them does.

    Items are looked up inside the scope: another tenant's id, a removed item and an unknown id are all the same
    nothing. An item without a vector in the space is left out too.

    Args:
        vectors: where the items are read.
        generation_of: the generation that serves a kind for this tenant.
        scope: who asks.
        bundle: the only space whose vectors are read, and which actions say anything.
        events: in any order.
        now: seconds since 1970.
        deadline: of the request.

    Raises:
        CannotRank: some of the items could not be read, or not in time.
    """
    newest = telling_events(bundle, events)
    found: dict[tuple[str, str], Array] = {}
    for kind in sorted({event.kind for event in newest}):
        ids = list(dict.fromkeys(event.id for event in newest if event.kind == kind))
        known = vectors.read(generation_of(kind), bundle.space, scope, ids, lambda _: deadline.remaining())
        if known.error is not None:
            late = isinstance(known.error, TimeoutError)
            raise CannotRank(Degraded.DEADLINE if late else Degraded.HISTORY_UNAVAILABLE) from known.error
        found |= {(kind, ids[index]): known.vectors[index] for index in np.flatnonzero(known.comparable)}
    used = [event for event in newest if (event.kind, event.id) in found]
    if not used:
        return None
    history = bundle.history(
        np.stack([found[event.kind, event.id] for event in used]),
        [event.action for event in used],
        [max(0.0, now - event.timestamp) for event in used],
    )
    return Past(history, tuple(dict.fromkeys((event.kind, event.id) for event in used)))
