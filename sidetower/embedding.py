"""Embedding without Celery: the loop of the embedded default, and what workers run at each tick."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from domain.errors import SidetowerError, StaleRelease, Unavailable
from domain.work import Lane
from indexer.drain import DrainReport
from indexer.held import PAUSE
from indexer.reconcile import PENDING_AGE, free_settled, requeue_foreign, requeue_pending
from indexer.tombstones import purge_tombstones
from sidetower.parts import Parts

log = logging.getLogger(__name__)

#: Seconds between two looks into the index for items that still wait.
RECONCILE_SECONDS: Final = 10.0
#: An item pending for longer than this was forgotten by the queue of this process.
FORGOTTEN_SECONDS: Final = 5.0
#: Seconds between two looks into the queue of this process.
TICK_SECONDS: Final = 0.2
#: Seconds of one reconcile, shared by all generations.
LOOK_SECONDS: Final = 60.0
#: Pages of one reconcile that the generations of a kind are compared over, 500 items each.
COMPARED_PAGES: Final = 40


def embed_until(parts: Parts, stop: threading.Event) -> None:
    """Embed what waits, and now and then look in the index for what was forgotten, until told to stop."""
    # The queue of this process is empty at its start, so whatever is pending then was forgotten.
    due, older_than = time.monotonic(), 0.0
    while not stop.is_set():
        try:
            if time.monotonic() >= due:
                due = time.monotonic() + RECONCILE_SECONDS
                reconcile(parts, older_than=older_than)
                older_than = FORGOTTEN_SECONDS
            for lane in Lane:
                drain(parts, lane, seconds=5)
        except SidetowerError as error:
            log.warning("embedding paused: %s", error)
        except Exception:  # nobody would start this loop again
            log.exception("embedding paused")
        stop.wait(TICK_SECONDS)


def drain(parts: Parts, lane: Lane, seconds: float) -> DrainReport:
    """Work on one lane for about so many seconds; why it stopped early is told in the log."""
    began = time.monotonic()
    report = parts.drainer.drain(lane, seconds)
    parts.metrics.drained(lane, report, time.monotonic() - began)
    if report.paused:
        log.warning("embedding paused: %s", report.paused)
    return report


def embed_pending(parts: Parts) -> DrainReport:
    """Embed everything that is pending now; what fails is tried again until it is embedded or parked."""
    total = DrainReport()
    while True:
        queued = reconcile(parts, older_than=0)
        report = drain(parts, Lane.LIVE, seconds=float("inf"))
        total.embedded += report.embedded
        total.stale += report.stale
        total.parked += report.parked
        total.failed, total.without_bundle, total.paused = report.failed, report.without_bundle, report.paused
        if report.paused or not (queued or report.failed):
            return total
        if report.failed:
            time.sleep(PAUSE)


def reconcile(parts: Parts, older_than: float = PENDING_AGE) -> int:
    """How many items of all generations being written were queued anew, for the vector that they lack.

    Generations of one kind are compared now and then, old tombstones purged, and parked items that nothing waits for
    forgotten, too. Bounded in time and in what it
    does; what is left is for the next call. What is wrong with one kind is told in the log and keeps no other from
    its turn.

    Raises:
        Unavailable: the engine or the queue does not answer.
    """
    releases = [release for kind in parts.releases.kinds() if (release := parts.view.current(kind))]
    seconds = LOOK_SECONDS / max(1, sum(len(release.writing) for release in releases))
    made = {one.name: one for one in parts.generations.all()}
    queued = 0
    for release in releases:
        try:
            for name in release.writing:
                waiting = requeue_pending(
                    parts.engine, parts.queue, parts.parked, name, older_than=older_than, seconds=seconds
                )
                foreign = 0
                if name in made:
                    foreign = requeue_foreign(parts.engine, parts.queue, made[name], seconds=seconds)
                parts.metrics.found(release.kind, "pending", waiting)
                parts.metrics.found(release.kind, "wrong_space", foreign)
                queued += waiting + foreign
            _compare(parts, release.kind)
            # By the release as a writer would have it: what began a moment ago counts on the tombstones.
            purged = purge_tombstones(parts.generations, parts.view.for_writing(release.kind))
            parts.metrics.found(release.kind, "tombstone", purged)
            if purged:
                log.info("%s: %d old removals were forgotten", release.kind, purged)
        except (StaleRelease, Unavailable):
            raise
        except SidetowerError as error:
            log.warning("%s was not reconciled: %s", release.kind, error)
    free_settled(parts.engine, parts.parked, seconds=seconds)
    parts.metrics.reconciled()
    return queued


def _compare(parts: Parts, kind: str) -> None:
    """Go on with the comparison of the kind's generations, when it is due."""
    if parts.comparison.due(kind):
        report = parts.comparison.run(kind, COMPARED_PAGES)
        parts.metrics.compared(kind, report)
        if report.differences:
            log.warning("%s: the generations differed: %s", kind, report)
