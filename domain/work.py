"""Work: which items still wait for a vector, as keys, never as documents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.items import ItemKey

#: Attempts alone (after a batch was split down to one task) before a task is parked.
MAX_ATTEMPTS_ALONE: Final = 5


class Lane(StrEnum):
    """Two lanes, so that a large import never delays one edit."""

    LIVE = "live"
    FILL = "fill"


@dataclass(frozen=True, slots=True, order=True)
class WorkKey:
    """An item in one generation."""

    key: ItemKey
    generation: str


@dataclass(frozen=True, slots=True)
class Task:
    """An item that waits for its vector in one generation."""

    work: WorkKey
    #: The newest revision told; a claim of an older one is finished only up to that one.
    revision: int


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task under a lease."""

    task: Task
    #: How often it was claimed, this time included.
    attempts: int
    #: How often it was claimed as the only task of its batch after a failure, this time included.
    attempts_alone: int

    @property
    def exhausted(self) -> bool:
        """Whether it has had its attempts and is to be parked instead of tried."""
        return self.attempts_alone > MAX_ATTEMPTS_ALONE


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch under one lease; after the lease it returns to the queue in halves."""

    id: str
    tasks: tuple[ClaimedTask, ...]


class Attempt(StrEnum):
    """Whether work given back counts against it."""

    #: The server was busy or the worker is stopping: as if never claimed.
    FORGIVEN = "forgiven"
    #: The work itself failed: it comes back alone.
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Depth:
    """How much work there is in one lane."""

    waiting: int
    in_flight: int
    #: Seconds since the oldest waiting or claimed task was added; 0 when there is none.
    oldest_age: float


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """A task that failed too often; freed by a newer revision or by hand."""

    work: WorkKey
    revision: int
    attempts: int
    #: What went wrong, as the last attempt told it.
    error: str
    #: Seconds since 1970.
    parked_at: float
