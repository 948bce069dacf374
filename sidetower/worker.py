"""The process root of the workers: `celery -A sidetower.worker worker -B`, or `sidetower work`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from domain.errors import ConfigurationError
from domain.work import Lane
from indexer.changed import ChangedItems, ChangedReport
from indexer.drain import DrainReport
from sidetower.config import DEFAULT_FILE, Config, load_config
from sidetower.embedding import drain, reconcile
from sidetower.parts import Parts
from workers.app import INTERRUPTS, WorkerParts, create_celery


def _config() -> Config:
    config = load_config(Path(os.environ.get("SIDETOWER_CONFIG", DEFAULT_FILE)), os.environ)
    if not config.queue.redis:
        raise ConfigurationError(
            f"{config.place}, [queue]",
            expected="redis, which Celery needs",
            got="nothing",
            fix='Write redis = "redis://localhost:6379/0", or run `sidetower work`, which needs none.',
        )
    return config


@cache
def _parts() -> Parts:
    """The parts of this process: first asked for by a task, so after the fork."""
    return Parts(_config(), interrupts=INTERRUPTS)


def _started() -> None:
    # The child answers, for it does the work: the parent has no figures. Its parts are made before any task asks.
    _parts().serve_metrics()


def _drain(lane: Lane, seconds: float) -> DrainReport:
    return drain(_parts(), lane, seconds)


def _changed(kind: str, ids: Sequence[str], tenant: str) -> ChangedReport:
    parts = _parts()
    known = parts.config.kind(kind)
    report = ChangedItems(parts.source(known), known, parts.live).take(ids, tenant)
    told = {"written": report.written, "stale": report.stale}
    for outcome, count in (told | {"missing": len(report.missing), "failed": len(report.failed)}).items():
        parts.metrics.told(kind, outcome, count)
    return report


def _reconcile() -> int:
    return reconcile(_parts())


app = create_celery(
    WorkerParts(
        broker_url=_config().queue.redis,
        drain=_drain,
        reconcile=_reconcile,
        changed=_changed,
        started=_started,
        namespace=Parts(_config()).namespace,
    )
)
