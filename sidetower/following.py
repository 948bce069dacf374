"""Following a source without Celery: round after round until told to stop, and the vectors with it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from domain.errors import StaleRelease, Unavailable
from indexer.following import Follower, FollowReport
from sidetower.embedding import embed_pending, embed_until
from sidetower.parts import Parts

#: Seconds that the thread which embeds is given to end.
PATIENCE: Final = 30.0


@dataclass(slots=True)
class Round:
    """What became of one round."""

    report: FollowReport = field(default_factory=FollowReport)
    seconds: float = 0.0
    #: Why it ended before its end; empty when it did not. The next round goes on at the checkpoint.
    paused: str = ""


def follow_once(
    parts: Parts, follower: Follower, stop: threading.Event, on_page: Callable[[FollowReport], None]
) -> Round:
    """One round; without Redis also the vectors of what it took.

    Raises:
        SidetowerError: as `Follower.round`.
    """
    began = time.monotonic()
    report = follower.round(stop.is_set, on_page)
    if not parts.config.queue.redis:
        embed_pending(parts)
    return Round(report, time.monotonic() - began)


def follow_until(
    parts: Parts,
    follower: Follower,
    stop: threading.Event,
    every: float,
    on_round: Callable[[Round], None],
    on_page: Callable[[FollowReport], None],
) -> None:
    """Rounds with pauses of `every` seconds until told to stop; a page in hand is finished.

    Servers that are away are told, and waited for. Without Redis a thread beside it embeds.

    Raises:
        SourceError: the source cannot be read at all.
    """
    with _embedding(parts, stop):
        while not stop.is_set():
            on_round(_patient(follower, stop, on_page))
            stop.wait(every)


def _patient(follower: Follower, stop: threading.Event, on_page: Callable[[FollowReport], None]) -> Round:
    began = time.monotonic()
    done = Round()

    def kept(report: FollowReport) -> None:
        done.report = report
        on_page(report)

    try:
        done.report = follower.round(stop.is_set, kept)
    except (StaleRelease, Unavailable) as error:
        done.paused = str(error)
    done.seconds = time.monotonic() - began
    return done


@contextlib.contextmanager
def _embedding(parts: Parts, stop: threading.Event) -> Iterator[None]:
    """Inside, a thread embeds what waits, unless workers do."""
    if parts.config.queue.redis:
        yield
        return
    thread = threading.Thread(target=embed_until, args=(parts, stop), name="embed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
