"""The ports: what Sidetower needs from the outside, each with at most seven members.

Every port has at least two answers, and all of them pass the suite of that port in tests/contracts.
Errors are those of `domain.errors`; foreign exceptions stop at the adapter.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from domain.features import History, ItemFeatures, Scores
from domain.items import Item, ItemKey
from domain.releases import Generation, GenerationCounts, Held, Release
from domain.search import Candidate, Query, Scope
from domain.vectors import Array
from domain.versions import Changes, Creation, ItemOutcome, StoredItem, VectorState
from domain.work import Attempt, Claim, Depth, Lane, ParkedItem, Task, WorkKey


class SearchEngine(Protocol):
    """Retrieves candidates and keeps the newest revision of every item, in one generation at a time.

    An unknown generation raises `NotFound` everywhere. Timeouts and refusals raise `Unavailable`.
    """

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        """One outcome for each item, in order, by the rule of `domain.versions.judge`. Safe to repeat.

        The keys are distinct. A write is durable when it returns and searchable after `refresh`. A vector of another
        space than the generation's fails. Of two writers who bring one revision with different contents at the same
        moment, whatever the phases, one is told `written` and the other `conflicting_revision`.
        """
        ...

    def read(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        """What is stored now, tombstones included, without waiting for a refresh. For writers only."""
        ...

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> dict[str, Candidate]:
        """The items of these ids that the scope may see, score 0, without waiting for a refresh."""
        ...

    def search(self, generation: str, scope: Scope, query: Query) -> list[Candidate]:
        """Candidates inside the scope, best first, ties by id; never a tombstone.

        The vector leg ranks by inner product over vectors of the query's space only.
        """
        ...

    def scan(
        self,
        generation: str,
        after: ItemKey | None = None,
        limit: int = 500,
        state: VectorState | None = None,
        outside: str = "",
    ) -> list[StoredItem]:
        """The next items in key order after `after`, tombstones included; empty at the end.

        Resumable by the last key. Sees what was refreshed.

        Args:
            generation: its name.
            after: where the last page ended.
            limit: of items.
            state: only items in that state.
            outside: only items with a vector of another space than this one.
        """
        ...

    def changes(self, generation: str, after: str = "") -> Changes:
        """What was written after the call that gave this mark, for whoever keeps copies of items.

        Sees every write that had returned when the call began. Without a mark, with one of a generation that was
        dropped since, and after more than 10,000 changes, anything may have changed.
        """
        ...

    def refresh(self, generation: str) -> None:
        """Make everything written so far searchable."""
        ...


class Generations(Protocol):
    """Creates, lists, counts and drops generations, and clears them of old tombstones."""

    def create(self, generation: Generation) -> None:
        """Make an empty generation; making the same one again changes nothing.

        Raises:
            ConfigurationError: the name is taken by a generation with other fields or another space (not
                `Generation.same_make`).
        """
        ...

    def drop(self, name: str) -> None:
        """Delete a generation and all it holds; dropping none changes nothing."""
        ...

    def all(self) -> list[Generation]:
        """Every generation, by name."""
        ...

    def counts(self, name: str, since: float = math.inf) -> list[GenerationCounts]:
        """What each tenant has, by tenant name. Sees what was refreshed.

        Args:
            name: of the generation.
            since: seconds since 1970; what has got its vector from then on is counted as recent.
        """
        ...

    def purge(self, name: str, removed_before: float, limit: int) -> int:
        """How many tombstones written before that time (seconds since 1970) were forgotten for good, oldest first.

        At most `limit` in one call. Sees what was refreshed; a key that was written anew since then stays. After it
        an older revision of the key that comes late is taken as new: the time is the horizon of "a removed item
        stays removed".
        """
        ...


class ReleaseStore(Protocol):
    """One release document for each kind, changed by compare-and-set."""

    def get(self, kind: str) -> Held | None:
        """The release of the kind, or None before the first one."""
        ...

    def put(self, release: Release, token: str | None) -> Held:
        """Store the release if nobody changed it since `token` was read; None = there was none.

        Raises:
            ReleaseConflict: somebody else was first.
        """
        ...

    def kinds(self) -> list[str]:
        """Every kind that has a release, sorted."""
        ...


class ParkedItems(Protocol):
    """Tasks that failed too often; they live in the engine, so that losing Redis revives no poison."""

    def park(self, items: Sequence[ParkedItem]) -> None:
        """Keep these, replacing what was parked under the same work key."""
        ...

    def get(self, works: Sequence[WorkKey]) -> list[ParkedItem]:
        """Those of these that are parked, in the order asked; sees what was parked a moment ago."""
        ...

    def all(self, limit: int = 1_000, after: WorkKey | None = None) -> list[ParkedItem]:
        """The next parked items in the order of their work keys, after this one or from the start."""
        ...

    def free(self, works: Sequence[WorkKey]) -> None:
        """Forget these; unknown ones change nothing."""
        ...


class WorkQueue(Protocol):
    """Which items wait for a vector. May lose everything: reconcile finds it again in the index."""

    def add(self, tasks: Sequence[Task], lane: Lane = Lane.LIVE, delay: float = 0.0) -> int:
        """Queue these; a task already waiting only takes the higher revision. Due after `delay` seconds.

        A task now in flight is queued again only if its revision is newer than the claimed one.

        Returns:
            How many of them were not waiting before.

        Raises:
            Busy: the queue is at its bound; nothing was added.
        """
        ...

    def claim(self, lane: Lane, limit: int, lease: float) -> Claim | None:
        """Move up to `limit` due tasks to in-flight for `lease` seconds, attempts + 1, oldest first.

        Expired claims come back first, each half as a claim of its own; a claim of one comes back alone.
        """
        ...

    def done(self, claim: Claim, tasks: Sequence[Task]) -> None:
        """These are finished up to their revision. What was added since, newer, stays queued.

        After the lease has passed to somebody else this changes nothing.
        """
        ...

    def give_back(self, claim: Claim, tasks: Sequence[Task], attempt: Attempt, delay: float = 0.0) -> None:
        """These are not finished: due again after `delay` seconds."""
        ...

    def extend(self, claim: Claim, lease: float) -> bool:
        """Hold the claim for `lease` seconds from now; False when it was already lost."""
        ...

    def depth(self, lane: Lane) -> Depth:
        """How much there is."""
        ...


class ItemSource(Protocol):
    """Where the host's documents are read from."""

    #: Where it reads, as a person would name it.
    name: str

    def count(self) -> int | None:
        """How many documents there are, None when that is not known before reading."""
        ...

    def scan(self) -> Iterator[tuple[str, Mapping[str, Any] | Exception]]:
        """Every document once with its place (``"line 17"``), or the `InvalidItem` that stands there instead.

        Raises:
            SourceError: nothing can be read at all.
        """
        ...

    def fetch(self, ids: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """Every document of these ids, each with its id: none for a missing one, several where tenants share an id."""
        ...

    def changed(
        self, field: str, since: float
    ) -> Generator[tuple[str, float, Mapping[str, Any] | Exception], None, None]:
        """Every document whose date `field` is at or after `since`, oldest first, with its place and that date.

        Dates are milliseconds since 1970. Minus infinity takes all documents; then those without a date are told by
        an `InvalidItem` each, or one for all, with a date of minus infinity.

        Raises:
            SourceError: nothing can be read at all, or the field holds no dates.
        """
        ...


class Checkpoints(Protocol):
    """How far long work has come, durable beside the items; small documents by name."""

    def get(self, name: str) -> Mapping[str, Any] | None:
        """What was put last under this name; None when nothing was, or it was forgotten."""
        ...

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep this document, durable when it returns; the last one wins."""
        ...

    def forget(self, name: str) -> None:
        """Keep nothing under this name; forgetting nothing changes nothing."""
        ...


class ItemEmbedder(Protocol):
    """Features, text encoder and item tower in one: what writers need of a bundle."""

    #: Space of the vectors.
    space: str

    def embed(self, items: Sequence[Item]) -> Array:
        """Unit vectors ``[n, 128]``; batch equals single."""
        ...

    def inputs_hash(self, item: Item) -> str:
        """Differs when anything that the item tower reads of this item differs, scaler statistics included."""
        ...


class TextEncoder(Protocol):
    """Texts to vectors."""

    #: Hash of file and precision: part of the space.
    identity: str
    #: Length of a text vector.
    dimension: int

    def encode(self, texts: Sequence[str]) -> Array:
        """Unit vectors ``[n, dimension]``; the empty text gives zero."""
        ...


class ItemTower(Protocol):
    """Item features to item vectors."""

    def embed(self, features: ItemFeatures) -> Array:
        """Unit vectors ``[n, 128]``."""
        ...


class UserTower(Protocol):
    """A person's history to one vector in the item space."""

    def embed(self, history: History, query: Array | None) -> Array:
        """Unit vector ``[128]``, or zero for an empty history."""
        ...


class Scorer(Protocol):
    """Vectors and signals to scores."""

    def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
        """Scores of n candidates.

        Args:
            query: ``[128]`` or None.
            user: ``[128]`` or None without history.
            items: ``[n, 128]``.
            signals: ``[n, s]``.
        """
        ...
