"""Retry: parked items get another chance, once the cause is gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from domain.errors import Unavailable
from domain.ports import ParkedItems, WorkQueue
from domain.work import Lane, Task, WorkKey

log = logging.getLogger(__name__)

PAGE: Final = 1_000


@dataclass(slots=True)
class RetryReport:
    """What a retry did."""

    #: Items that are no longer parked.
    freed: int = 0
    #: Those of them that the queue did not hold already and took; reconcile finds the others.
    queued: int = 0


def retry_parked(parked: ParkedItems, queue: WorkQueue | None, *, kind: str = "", tenant: str = "") -> RetryReport:
    """Free parked items and queue them again; safe to repeat, and to run while workers do.

    Args:
        parked: where they are.
        queue: takes them; None = they are left to reconcile.
        kind: only of this kind; "" = all.
        tenant: only of this tenant; "" = all.
    """
    report = RetryReport()
    after: WorkKey | None = None
    while page := parked.all(PAGE, after):
        after = page[-1].work
        chosen = [one for one in page if kind in ("", one.work.key.kind) and tenant in ("", one.work.key.tenant)]
        if not chosen:
            continue
        # First free: a worker that met a task of a parked revision would drop it.
        parked.free([one.work for one in chosen])
        report.freed += len(chosen)
        if queue is None:
            continue
        try:
            report.queued += queue.add([Task(one.work, one.revision) for one in chosen], Lane.LIVE)
        except Unavailable as error:
            log.warning("%d freed items wait for reconcile instead of the queue: %s", len(chosen), error)
    return report
