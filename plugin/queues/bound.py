"""The bound of a work queue: past it a writer is told to wait, so that a queue nobody empties cannot grow for ever."""

from __future__ import annotations

from typing import Final

from domain.errors import Busy
from domain.work import Lane

#: Waiting tasks of one lane; about 120 MB in Redis.
DEFAULT_BOUND: Final = 200_000


def full(lane: Lane, bound: int) -> Busy:
    """The refusal of an `add` that would take the lane past its bound."""
    return Busy(
        f"work queue, lane {lane.value}",
        expected=f"at most {bound} waiting tasks",
        got="more; nothing was added",
        fix="Start more workers, or wait; items already stored are found again by reconcile.",
    )
