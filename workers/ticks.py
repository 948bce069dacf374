"""Ticks: messages that say "there may be work". They carry nothing, so none is sent on top of unread ones."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from celery.beat import Scheduler

from domain.work import Lane
from workers.settings import DRAIN_TASK

#: Enough to wake that many idle processes; more would only fill the broker while no worker runs. Ticks do not
#: expire instead, because a worker whose clock is ahead would then drop every one.
MAX_UNREAD: Final = 10


def send_tick(app: Celery, lane: Lane) -> None:
    """Have some process drain the lane, soon."""
    if not _crowded(app, lane.value):
        app.send_task(DRAIN_TASK, args=(lane.value,), queue=lane.value)


class TickScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's schedule in memory, silent while earlier ticks are unread."""

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> Any:
        """Send a due entry; None when its queue already holds ticks enough."""
        if _crowded(self.app, entry.options["queue"]):
            return None
        return super().apply_async(entry, producer=producer, advance=advance, **options)


def _crowded(app: Celery, queue: str) -> bool:
    with app.connection_or_acquire() as connection:
        # Not `passive`: Kombu then looks for the key without its prefix. Declared as Celery itself declares it.
        declared = connection.default_channel.queue_declare(queue=queue, durable=True, auto_delete=False)
    return bool(declared.message_count >= MAX_UNREAD)
