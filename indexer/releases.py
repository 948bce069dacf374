"""The release as a process sees it: polled for reading, fenced for writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from domain.errors import ReleaseConflict, StaleRelease, Unavailable
from domain.ports import Generations, ReleaseStore
from domain.releases import Generation, Pointer, Release, Stage

#: A reader sees a changed release after this many seconds at most.
POLL_SECONDS: Final = 1.0
#: A writer that could not read the release for this long refuses to write.
LEASE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    release: Release | None
    read_at: float


class ReleaseView:
    """The current release of each kind, read anew at most once a second.

    Args:
        store: where the release documents live.
        clock: seconds, monotonic.
    """

    def __init__(self, store: ReleaseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def current(self, kind: str) -> Release | None:
        """The release to read from; an older one while the store does not answer, None before the first.

        Raises:
            Unavailable: the store does not answer and no release was ever read.
        """
        try:
            return self._fresh(kind).release
        except Unavailable:
            seen = self._seen.get(kind)
            if seen is None:
                raise
            return seen.release

    def for_writing(self, kind: str) -> Release:
        """The release to write by, never older than the lease (the fence).

        Raises:
            StaleRelease: it could not be read anew within the lease.
            Unavailable: the kind has no release yet.
        """
        try:
            seen = self._fresh(kind)
        except Unavailable as error:
            old = self._seen.get(kind)
            if old is None or self._clock() - old.read_at > LEASE_SECONDS:
                raise StaleRelease(
                    f"release of {kind}",
                    expected=f"a reading not older than {LEASE_SECONDS:g} s",
                    got=str(error),
                    fix="Nothing was acknowledged. Send it again when the search engine answers.",
                ) from error
            seen = old
        if seen.release is None:
            raise no_release(kind)
        return seen.release

    def forget(self, kind: str) -> None:
        """Read the release anew at the next call."""
        self._seen.pop(kind, None)

    def _fresh(self, kind: str) -> _Seen:
        seen = self._seen.get(kind)
        if seen and self._clock() - seen.read_at < POLL_SECONDS:
            return seen
        with self._lock:
            seen = self._seen.get(kind)
            if seen and self._clock() - seen.read_at < POLL_SECONDS:
                return seen
            began = self._clock()
            held = self._store.get(kind)
            self._seen[kind] = _Seen(held.release if held else None, began)
            return self._seen[kind]


def no_release(kind: str) -> Unavailable:
    """The error for a kind that nobody has indexed yet."""
    return Unavailable(
        f"kind {kind}", expected="an index", got="none", fix="Run `sidetower index` for this kind first."
    )


def begin(releases: ReleaseStore, generations: Generations, generation: Generation, bundle: str) -> Release:
    """The first release of a kind: its generation made, the release stored as building.

    Whoever comes second gets the release that is there.
    """
    generations.create(generation)
    first = Release(
        kind=generation.kind,
        default=Pointer(generation.name, bundle),
        writing=(generation.name,),
        state=Stage.BUILDING,
    )
    try:
        return releases.put(first, token=None).release
    except ReleaseConflict:
        held = releases.get(generation.kind)
        if held is None:
            raise
        return held.release


def finish(releases: ReleaseStore, kind: str) -> Release:
    """The release of a kind whose first fill is complete, stored as serving; safe to repeat."""
    while True:
        held = releases.get(kind)
        if held is None:
            raise no_release(kind)
        if held.release.state is Stage.SERVING:
            return held.release
        try:
            return releases.put(replace(held.release, state=Stage.SERVING), held.token).release
        except ReleaseConflict:
            continue
