"""Splits that anybody can repeat: by hashes of ids, and by time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from domain.events import Event

#: Percent of users, queries or threads that are reported on and never trained or tuned on.
REPORTED_PERCENT: Final = 15
#: One item in this many is cold.
COLD_ONE_IN: Final = 10

#: In a manifest's metrics: percent of people (by `is_reported`) whom the bundle did not learn from, and of queries.
HELD_OUT: Final = "held_out_percent"
QUERIES_HELD_OUT: Final = "queries_held_out_percent"
#: In a manifest's metrics: seconds since 1970 of the last event that the bundle learnt from.
LEARNT_UNTIL: Final = "learnt_until"

T = TypeVar("T")


def id_hash(salt: str, id_: object) -> int:
    """A whole number below 2^32 that depends on nothing but salt and id."""
    return int(hashlib.sha1(f"{salt}|{id_}".encode(), usedforsecurity=False).hexdigest()[:8], 16)


def is_reported(id_: object) -> bool:
    """Whether this user, query cluster or thread belongs to the part that is reported on."""
    return id_hash("dev", id_) % 100 < REPORTED_PERCENT


def is_cold(item_id: object) -> bool:
    """Whether this item is hidden from every training part in the cold-item tasks."""
    return id_hash("cold", item_id) % COLD_ONE_IN == 0


def fold(id_: object, folds: int, salt: str = "fold") -> int:
    """Which of so many folds an id belongs to."""
    return id_hash(salt, id_) % folds


def hide_share(user: object, items: Iterable[T], share: float, salt: str = "target") -> tuple[list[T], list[T]]:
    """The items of one user as (shown, hidden): at least one is hidden, chosen by hash, and one shown if there are two.

    Args:
        user: whose.
        items: distinct, in any order.
        share: of the items that are hidden, rounded.
        salt: another salt hides others.
    """
    order = sorted(items, key=lambda item: (id_hash(f"{salt}|{user}", item), str(item)))
    count = max(1, math.floor(share * len(order) + 0.5))
    return order[count:], order[:count]


def by_time(events: Sequence[Event], share: float) -> tuple[list[Event], list[Event]]:
    """The events as (earlier, later): the later ones are the last `share` of them.

    Events of one moment stay together, so that no later part knows what happened at the same time; order is by
    time, then by the order given.
    """
    order = sorted(events, key=lambda event: event.timestamp)
    cut = len(order) - math.floor(share * len(order) + 0.5)
    if cut >= len(order):
        return order, []
    moment = order[cut].timestamp
    return [one for one in order if one.timestamp < moment], [one for one in order if one.timestamp >= moment]
