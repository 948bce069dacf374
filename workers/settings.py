"""Celery's settings, each with its reason."""

from __future__ import annotations

from typing import Any, Final

from domain.work import Lane

#: A process drains one lane for this long, then looks at the other queues: how long an edit waits behind a fill.
DRAIN_SECONDS: Final = 2.0
#: No task works longer: two seconds of draining, and the slowest batch or page of reconcile.
SOFT_LIMIT: Final = 240
HARD_LIMIT: Final = 300
#: Seconds between two looks for vectors and differences that nobody is working on.
RECONCILE_EVERY: Final = 60.0
#: Queue of `item_changed`, which carries what cannot be found again; ticks must not wait behind it.
CHANGES: Final = "changes"
RECONCILE: Final = "reconcile"
QUEUES: Final = (*(lane.value for lane in Lane), CHANGES, RECONCILE)

DRAIN_TASK: Final = "sidetower.drain"
CHANGED_TASK: Final = "sidetower.item_changed"
RECONCILE_TASK: Final = "sidetower.reconcile"

CELERY: Final[dict[str, Any]] = {
    # A message is acknowledged after its work, and goes back when the process that had it is killed.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    # No message waits in the pocket of a busy process while another process idles.
    "worker_prefetch_multiplier": 1,
    # One process for each core is started from outside: ONNX Runtime's threads already use the whole core, and a
    # crash in native code takes one batch with it.
    "worker_concurrency": 1,
    # A redelivered task runs a second time from the start, so what lost its broker stops.
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    # The soft limit lets the batch be given back; the hard one ends a process that hangs in native code.
    "task_soft_time_limit": SOFT_LIMIT,
    "task_time_limit": HARD_LIMIT,
    # Nobody reads results: what became of an item stands in the index.
    "task_ignore_result": True,
    "result_expires": None,
    # Never pickle: whoever can write to the broker could run code.
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_accept_content": ["json"],
    # A mistyped queue is an error, not a queue that nobody reads.
    "task_queues": {name: {} for name in QUEUES},
    "task_create_missing_queues": False,
    "task_default_queue": Lane.LIVE.value,
    "task_routes": {CHANGED_TASK: {"queue": CHANGES}, RECONCILE_TASK: {"queue": RECONCILE}},
    # A worker outlives its broker, at the start and later (None = no limit of tries).
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        # What a lost worker held comes back after this. Above the hard limit, or a task that still runs would be
        # given to a second worker. For the same reason nothing is sent with a countdown or an eta.
        "visibility_timeout": 2 * HARD_LIMIT,
        # Without these a half-open connection hangs for ever.
        "socket_connect_timeout": 5,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 25,
    },
    # The schedule has nothing to remember: no file, hence no pickle in it.
    "beat_scheduler": "workers.ticks:TickScheduler",
    # Beat looks at least this often, so that a tick a second is one.
    "beat_max_loop_interval": 1.0,
    "beat_schedule": {
        **{
            f"drain-{lane.value}": {
                "task": DRAIN_TASK,
                "schedule": 1.0,
                "args": (lane.value,),
                "options": {"queue": lane.value},
            }
            for lane in Lane
        },
        "reconcile": {"task": RECONCILE_TASK, "schedule": RECONCILE_EVERY, "options": {"queue": RECONCILE}},
    },
}
