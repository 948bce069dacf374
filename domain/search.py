"""Searches: scope, filters, query, candidates and hits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.errors import InvalidQuery
from domain.items import EVERYONE, FilterValue, Item, ItemKey
from domain.vectors import DIMENSIONS, Array

#: Constant of reciprocal-rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009).
RRF_CONSTANT: Final = 60
MAX_LIMIT: Final = 1_000
#: Each leg of a hybrid search retrieves at least this many before fusion.
LEG_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is asking: no answer crosses it. The engine adapter adds it to every query."""

    tenant: str
    #: Groups the person belongs to; everyone belongs to ``*``.
    audiences: frozenset[str] = frozenset()

    def groups(self) -> tuple[str, ...]:
        """The groups whose items may be seen, sorted."""
        return tuple(sorted(self.audiences | {EVERYONE}))

    def sees(self, item: Item) -> bool:
        """Whether the item is inside this scope."""
        return item.key.tenant == self.tenant and not set(item.audience).isdisjoint(self.groups())


@dataclass(frozen=True, slots=True)
class Term:
    """The field holds this value."""

    field: str
    value: FilterValue


@dataclass(frozen=True, slots=True)
class Terms:
    """The field holds one of these values."""

    field: str
    values: tuple[FilterValue, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field holds a number within the bounds; at least one bound is given."""

    field: str
    gte: float | None = None
    lte: float | None = None
    gt: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field holds any value."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The inner filter does not hold."""

    filter: Filter


Filter = Term | Terms | Range | Exists | Not


@dataclass(frozen=True, slots=True, eq=False)
class QueryVector:
    """A vector to search by, and the space it belongs to."""

    #: Unit vector ``[128]``.
    values: Array
    space: str

    def __post_init__(self) -> None:
        if self.values.shape != (DIMENSIONS,) or not math.isfinite(float(self.values.sum())):
            raise InvalidQuery(
                "query vector",
                expected=f"{DIMENSIONS} finite numbers",
                got=f"shape {self.values.shape}",
                fix="Embed the query with the bundle's own towers.",
            )


@dataclass(frozen=True, slots=True)
class Query:
    """What to retrieve: by text, by vector, by both (fused), or everything that passes the filters, by id."""

    text: str = ""
    vector: QueryVector | None = None
    #: All must hold; inside the k-NN clause for the vector leg.
    filters: tuple[Filter, ...] = ()
    #: Ids that are left out (the item itself, items already seen).
    exclude: tuple[str, ...] = ()
    limit: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidQuery(
                "limit", expected=f"1 to {MAX_LIMIT}", got=str(self.limit), fix="Ask for fewer items, or page."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An item that was retrieved, not yet ranked; candidates come best first, ties by id."""

    item: Item
    #: The engine's score; comparable within one answer only.
    score: float
    #: Engine version of the document, 4 x revision + phase.
    version: int
    #: Unit vector ``[128]``, None while it is pending.
    vector: Array | None = None
    #: Space of the vector; empty without one.
    space: str = ""
    #: 1-based rank in the text leg, None when not found by text.
    text_rank: int | None = None
    #: 1-based rank in the vector leg, None when not found by vector.
    vector_rank: int | None = None

    @property
    def key(self) -> ItemKey:
        """The item's key."""
        return self.item.key


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate after ranking."""

    item: Item
    score: float
    #: 1-based rank that the engine gave.
    engine_rank: int
    #: What each part added; the values sum to the score.
    parts: Mapping[str, float] = field(default_factory=dict)
    #: What each group of inputs contributed, where that was asked for; the values sum to the score.
    contributions: Mapping[str, float] = field(default_factory=dict)


def fuse(legs: Sequence[Sequence[ItemKey]], limit: int) -> list[tuple[ItemKey, float]]:
    """Reciprocal-rank fusion: the score of a key is the sum of 1 / (60 + rank) over the legs that found it.

    Args:
        legs: keys best first, one list for each way of searching.
        limit: how many to keep.

    Returns:
        Keys and scores, best first. Ties go to the earlier leg, then by id: a new item that was found by its words
        stands before one that is merely near, while its own vector is still to come.
    """
    scores: dict[ItemKey, float] = {}
    found_by: dict[ItemKey, int] = {}
    for number, leg in enumerate(legs):
        for rank, key in enumerate(leg, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_CONSTANT + rank)
            found_by.setdefault(key, number)
    return sorted(scores.items(), key=lambda pair: (-pair[1], found_by[pair[0]], pair[0]))[:limit]
