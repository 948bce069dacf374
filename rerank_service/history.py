"""History: what the person did, as vectors in the snapshot's space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.features import History
from domain.search import Scope
from domain.vectors import DIMENSIONS
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.deadline import Deadline
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.request import PastEvent
from rerank_service.shelf import RankingBundle

#: The user tower reads what the person did last with this many items.
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
    """The newest event that says anything of each item, of the newest 50 items, newest first: what training reads."""
    says = {action: bundle.counts(action) for action in {event.action for event in events}}
    telling = sorted((event for event in events if says[event.action]), key=lambda event: -event.timestamp)
    newest: dict[tuple[str, str], PastEvent] = {}
    for event in telling:
        newest.setdefault((event.kind, event.id), event)
    return list(newest.values())[:HISTORY_LENGTH]


def read_history(
    reader: CandidateVectors,
    generation_of: Callable[[str], str],
    *,
    scope: Scope,
    bundle: RankingBundle,
    events: Sequence[PastEvent],
    now: float,
    deadline: Deadline,
) -> Past | None:
    """What the person did last with the newest 50 items, or None when none of it says anything.

    Items are looked up inside the scope: another tenant's id, a removed item and an unknown id are all the same
    nothing. An item without a vector in the space is left out too.

    Args:
        reader: reads the items.
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
    vectors = np.zeros((len(newest), DIMENSIONS), np.float32)
    there = np.zeros(len(newest), np.bool_)
    for kind in sorted({event.kind for event in newest}):
        at = [index for index, event in enumerate(newest) if event.kind == kind]
        place = {id_: index for index, id_ in enumerate(dict.fromkeys(newest[one].id for one in at))}
        known = reader.read(generation_of(kind), bundle.space, scope, list(place), lambda _: deadline.remaining())
        if known.error is not None:
            late = isinstance(known.error, TimeoutError)
            raise CannotRank(Degraded.DEADLINE if late else Degraded.HISTORY_UNAVAILABLE) from known.error
        rows = [place[newest[one].id] for one in at]
        vectors[at], there[at] = known.vectors[rows], known.comparable[rows]
    if not there.any():
        return None
    used = newest if there.all() else [event for event, one in zip(newest, there.tolist(), strict=True) if one]
    history = bundle.history(
        vectors[there], [event.action for event in used], [max(0.0, now - event.timestamp) for event in used]
    )
    return Past(history, tuple((event.kind, event.id) for event in used))
