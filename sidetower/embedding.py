"""Embedding without Celery: the loop of the embedded default, and what workers run at each tick."""

from __future__ import annotations

import logging
import threading
from typing import Final

from domain.errors import SidetowerError
from domain.work import Lane
from indexer.drain import DrainReport
from indexer.reconcile import PENDING_AGE, requeue_pending
from sidetower.parts import Parts

log = logging.getLogger(__name__)

#: Seconds between two looks into the index for items that still wait.
RECONCILE_SECONDS: Final = 10.0
#: An item pending for longer than this was forgotten by the queue of this process.
FORGOTTEN_SECONDS: Final = 5.0
#: Seconds between two looks into the queue of this process.
TICK_SECONDS: Final = 0.2


def embed_until(parts: Parts, stop: threading.Event) -> None:
    """Embed what waits, and now and then look in the index for what was forgotten, until told to stop."""
    since = RECONCILE_SECONDS
    while not stop.is_set():
        try:
            if since >= RECONCILE_SECONDS:
                since = 0.0
                reconcile(parts, older_than=FORGOTTEN_SECONDS)
            for lane in Lane:
                report = parts.drainer.drain(lane, seconds=5)
                if report.paused:
                    log.warning("embedding paused: %s", report.paused)
        except SidetowerError as error:
            log.warning("embedding paused: %s", error)
        stop.wait(TICK_SECONDS)
        since += TICK_SECONDS


def embed_pending(parts: Parts) -> DrainReport:
    """Embed everything that is pending now."""
    reconcile(parts, older_than=0)
    return parts.drainer.drain(Lane.LIVE, seconds=float("inf"))


def reconcile(parts: Parts, older_than: float = PENDING_AGE) -> int:
    """How many pending items of all generations being written were queued again."""
    queued = 0
    for kind in parts.releases.kinds():
        release = parts.view.current(kind)
        for generation in release.writing if release else ():
            queued += requeue_pending(parts.engine, parts.queue, parts.parked, generation, older_than=older_than)
    return queued
