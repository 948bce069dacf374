"""``sidetower follow``: take what changed in the host's own index, for hosts that cannot send events."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import InvalidItem, InvalidQuery
from sidetower.cli import output
from sidetower.cli.index import SHOWN, named_source, need_tenant
from sidetower.cli.stopping import Stop
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from rich.progress import Progress

    from indexer.following import Follower, FollowReport
    from sidetower.following import Round


def follow(
    config: output.ConfigPath = DEFAULT_FILE,
    field: Annotated[str, typer.Option(help="The date that moves with every change of a document.")] = "updated_at",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file that is exported anew now and then.")
    ] = None,
    from_index: Annotated[str, typer.Option(help="Index of the configured OpenSearch; never written.")] = "",
    kind: Annotated[str, typer.Option(help="Which kind it is, where there are several.")] = "",
    tenant: output.TenantOption = "",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two rounds.")] = 10.0,
    overlap: Annotated[float, typer.Option(min=0, help="Seconds before the checkpoint that are read again.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="One round, then end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each round.")] = False,
) -> None:
    """Take the documents whose date has moved, until told to stop.

    Without --file and --from-index it reads the kind's source. It goes on where it stopped: the checkpoint is kept
    beside the items. With Redis the workers embed what changed, without it does so itself.
    """
    from indexer.following import Follower
    from sidetower.agreement import check_agreement
    from sidetower.following import follow_once, follow_until
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    need_tenant(chosen, tenant)
    if not field.strip():
        raise InvalidQuery("--field", expected="the name of a date", got="nothing", fix="Add --field updated_at.")
    parts = Parts(settings)
    source = named_source(parts, chosen, file, from_index)
    check_agreement(parts, chosen)
    follower = Follower(
        source,
        chosen,
        field,
        parts.live,
        parts.engine,
        parts.view,
        parts.checkpoints,
        tenant=tenant,
        overlap=overlap,
    )
    stop = Stop()
    with output.progress(quiet=as_json) as bar:
        on_page = _pages(bar, follower)
        if not once:
            follow_until(parts, follower, stop, every, lambda done: _tell(done, chosen.name, as_json=as_json), on_page)
            return
        done = follow_once(parts, follower, stop, on_page)
    _tell(done, chosen.name, as_json=as_json, quiet=False)
    if done.report.failed:
        raise typer.Exit(InvalidItem.exit_code)


def _pages(bar: Progress, follower: Follower) -> Callable[[FollowReport], None]:
    task = bar.add_task(follower.name, total=None)

    def advance(report: FollowReport) -> None:
        bar.update(task, completed=report.read)

    return advance


def _tell(done: Round, kind: str, *, as_json: bool, quiet: bool = True) -> None:
    """A line for the round; without JSON a quiet one is left out when it changed nothing."""
    report = done.report
    now = datetime.now(UTC).isoformat(timespec="seconds")
    counts = {
        "read": report.read,
        "written": report.written,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "stale": report.stale,
        "failed": report.failed,
    }
    reached = _date(report.reached)
    if as_json:
        line: dict[str, Any] = {"at": now, "kind": kind, **counts, "reached": reached, "complete": report.complete}
        line |= {"seconds": round(done.seconds, 3), "paused": done.paused or None, "errors": report.errors}
        output.print_line(line)
        return
    if report.changed or not quiet:
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing read"
        output.say(f"{now} {kind}: {told}; up to {reached or 'nowhere yet'}, {done.seconds:.1f} s")
    for error in report.errors[:SHOWN]:
        output.warn(error)
    if len(report.errors) > SHOWN:
        output.warn(f"... and {len(report.errors) - SHOWN:,} more; --json shows up to 100.")
    if done.paused:
        output.warn(f"{now} {kind}: {done.paused}")


def _date(milliseconds: float) -> str | None:
    if not math.isfinite(milliseconds):
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
