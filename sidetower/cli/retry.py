"""``sidetower retry``: give parked items another chance."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config


def retry(
    config: output.ConfigPath = DEFAULT_FILE,
    kind: Annotated[str, typer.Option(help="Only items of this kind.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Only items of this tenant.")] = "",
    as_json: output.JsonFlag = False,
) -> None:
    """Free parked items, so that they are embedded again once what was wrong with them is gone.

    `sidetower status` shows them and why they failed. It is no error when nothing is parked.
    """
    from indexer.retry import retry_parked
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    if kind:
        settings.kind(kind)
    parts = Parts(settings)
    # The queue of this process would end with it.
    report = retry_parked(parts.parked, parts.queue if settings.queue.redis else None, kind=kind, tenant=tenant)
    if as_json:
        output.print_json({"freed": report.freed, "queued": report.queued})
    elif not report.freed:
        output.say("Nothing is parked.")
    elif report.queued:
        output.say(f"{report.freed:,} freed, {report.queued:,} of them queued.")
    else:
        output.say(f"{report.freed:,} freed: running processes find them within a minute, sidetower work --once now.")
