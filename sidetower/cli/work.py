"""``sidetower work``: embed what changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sidetower.cli import output
from sidetower.cli.stopping import Stop
from sidetower.config import DEFAULT_FILE, Config, load_config


def work(
    config: output.ConfigPath = DEFAULT_FILE,
    once: Annotated[bool, typer.Option("--once", help="Embed what is pending now, then end.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Embed changed items until told to stop.

    With Redis this is a Celery worker with its schedule. Without, it works alone from what the index says is pending.
    """
    settings = load_config(config, os.environ)
    if once:
        _embed_once(settings, as_json=as_json)
    elif settings.queue.redis:
        _run_celery(config)
    else:
        _embed_alone(settings)


def _run_celery(config: Path) -> None:
    os.environ["SIDETOWER_CONFIG"] = str(config)
    from sidetower.worker import app

    app.worker_main(["worker", "--beat", "--loglevel=WARNING", "--without-gossip", "--without-mingle"])


def _embed_alone(settings: Config) -> None:
    from sidetower.embedding import embed_until
    from sidetower.parts import Parts

    output.warn("Without Redis: embedding alone, from what the index says is pending.")
    parts = Parts(settings)
    parts.serve_metrics()
    embed_until(parts, Stop())


def _embed_once(settings: Config, *, as_json: bool) -> None:
    from sidetower.embedding import embed_pending
    from sidetower.parts import Parts

    report = embed_pending(Parts(settings))
    counts = {"embedded": report.embedded, "failed": report.failed, "parked": report.parked}
    if as_json:
        output.print_json(counts)
    else:
        output.say(", ".join(f"{count} {name}" for name, count in counts.items()))
