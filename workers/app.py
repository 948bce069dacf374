"""The Celery application: tasks that call the indexer, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_ready
from kombu.exceptions import OperationalError as BrokerError

from domain.errors import SourceError, StaleRelease, Unavailable
from domain.work import Lane
from workers.settings import CELERY, CHANGED_TASK, CHANGES, DRAIN_SECONDS, DRAIN_TASK, RECONCILE_TASK, SOFT_LIMIT
from workers.ticks import send_tick

_LOG: Final = logging.getLogger(__name__)
#: What tells a task to end: not an error of what it works on.
INTERRUPTS: Final[tuple[type[Exception], ...]] = (SoftTimeLimitExceeded,)
#: Servers that are away, and the end of a task's time: the same work can be done later.
_LATER: Final[tuple[type[Exception], ...]] = (Unavailable, StaleRelease, BrokerError, *INTERRUPTS)
#: Seconds that a process waits when the engine asks for less; every other task would meet the same engine.
PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the tasks call. All run in the forked process, so they open connections and models there, once."""

    #: ``redis://host:port/db``.
    broker_url: str
    #: Work on one lane for about this many seconds, less when it is empty, and leave nothing claimed behind.
    drain: Callable[[Lane, float], object]
    #: Find what nobody is working on, and queue it; in time well below the hard limit.
    reconcile: Callable[[], object]
    #: Read the items of a kind from their source and take them as changed: kind, ids, tenant ("" = told by the item).
    #: None = there is no task `item_changed`.
    changed: Callable[[str, Sequence[str], str], object] | None = None
    #: Called in the forked process before its first task; returns soon.
    started: Callable[[], None] | None = None
    #: Start of the broker's keys: installations that share a Redis must not take each other's messages.
    namespace: str = "sidetower"


def create_celery(parts: WorkerParts) -> Celery:
    """The application that ``celery -A ... worker`` and ``celery -A ... beat`` run.

    Tasks:
        sidetower.drain(lane): embeds what waits; sent by beat once a second and after a drain that used its time.
        sidetower.item_changed(kind, ids, tenant=""): told by the host; repeated while the engine is away. While
            its source cannot be read it goes to the end of its queue, so that other kinds do not wait for it.
        sidetower.reconcile(): sent once a minute and when a worker starts.
    """
    app = Celery("sidetower", broker=parts.broker_url)
    app.conf.update(CELERY)
    # Celery's keys stay apart from the host's own Celery in the same database; a program that sends `item_changed`
    # sets the same `global_keyprefix`.
    app.conf.broker_transport_options = CELERY["broker_transport_options"] | {"global_keyprefix": f"{parts.namespace}:"}

    def drain(lane: str) -> None:
        begun = time.monotonic()
        _repeated_by_next_tick(lambda: parts.drain(Lane(lane), DRAIN_SECONDS))
        if time.monotonic() - begun >= DRAIN_SECONDS:
            send_tick(app, Lane(lane))

    def reconcile() -> None:
        _repeated_by_next_tick(parts.reconcile)

    app.task(drain, name=DRAIN_TASK)
    app.task(reconcile, name=RECONCILE_TASK)
    _reconcile_at_start(app)
    if parts.started is not None:
        _at_process_start(parts.started)
    if parts.changed is not None:
        _take_told_changes(app, parts.changed)
    return app


def _take_told_changes(app: Celery, changed: Callable[[str, Sequence[str], str], object]) -> None:
    def item_changed(kind: str, ids: Sequence[str], tenant: str = "") -> None:
        try:
            _until_taken(lambda: changed(kind, ids, tenant))
        except SourceError as error:
            _LOG.warning("told again later: %s", error)
            time.sleep(PAUSE)
            _until_taken(lambda: app.send_task(CHANGED_TASK, args=(kind, ids, tenant), queue=CHANGES))
            return
        send_tick(app, Lane.LIVE)

    app.task(item_changed, name=CHANGED_TASK)


def _repeated_by_next_tick(work: Callable[[], object]) -> None:
    """Do the work; an absent server is told in one line, for the next tick tries again."""
    try:
        work()
    except _LATER as error:
        _LOG.warning("%s", _line(error))


def _until_taken(change: Callable[[], object]) -> None:
    """Make the change, or put the message back at the head of its queue: it cannot be found again elsewhere."""
    try:
        change()
    except _LATER as error:
        time.sleep(PAUSE)
        # Text, not the error: it crosses to the parent process and has to be built anew there.
        raise Reject(_line(error), requeue=True) from None


def _line(error: Exception) -> str:
    return f"not done within {SOFT_LIMIT} s" if isinstance(error, INTERRUPTS) else str(error)


def _reconcile_at_start(app: Celery) -> None:
    def send(sender: Any, **_: object) -> None:
        if sender.app is app:
            app.send_task(RECONCILE_TASK)

    worker_ready.connect(send, weak=False)


def _at_process_start(started: Callable[[], None]) -> None:
    def call(**_: object) -> None:
        started()

    worker_process_init.connect(call, weak=False)
