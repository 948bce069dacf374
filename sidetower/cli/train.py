"""``sidetower train``: train the networks from what people did and from judged queries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from domain.errors import ConfigurationError, InvalidItem
from sidetower.cli import output
from sidetower.cli.index import staged
from sidetower.cli.search import KindOption
from sidetower.config import DEFAULT_FILE, load_config

#: Broken lines that are shown.
SHOWN: Final = 10


def train(
    events: Annotated[Path | None, typer.Option("--events", "-e", help="JSONL, CSV or Parquet file of events.")] = None,
    judgments: Annotated[
        Path | None, typer.Option("--judgments", "-j", help="JSONL, CSV or Parquet file of judged queries.")
    ] = None,
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    hold_out: Annotated[
        bool, typer.Option("--hold-out", help="Leave out the people and queries that sidetower evaluate reports on.")
    ] = False,
    precision: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Share of what reaches the threshold that should fit.")
    ] = 0.8,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the new bundle at once.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Train into the space that is served: no item needs a new vector.

    Events have the fields user_id, action_name, object_id and timestamp; judgments have query, item_id and label.
    Interrupted, it goes on where it stopped. Exit status 3: some lines were told as broken, all others learnt from.
    """
    from plugin.files.opening import open_file_source
    from sidetower import training
    from sidetower.judgments import ReadJudgments, read_judgments
    from sidetower.parts import Parts

    if events is None and judgments is None:
        fix = "Name a file to learn from."
        raise ConfigurationError("train", expected="--events or --judgments", got="neither", fix=fix)
    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    parts = Parts(settings)
    read, judged, learnt = training.ReadEvents(), ReadJudgments(), None
    if events is not None:
        read = training.read_events(open_file_source(events, "object_id"), chosen, tenant)
    if judgments is not None:
        judged = read_judgments(open_file_source(judgments, "item_id"), tenant)
        learnt = judged.judgments
    with output.progress(quiet=as_json) as bar:
        bundle = training.train(
            parts, chosen, read.events, staged(bar), judgments=learnt, hold_out=hold_out, precision=precision
        )
    if serve:
        training.serve_bundle(parts, chosen, bundle)
    lines = {"events": len(read.events)} if events else {}
    lines |= {"judgments": len(judged.judgments)} if judgments else {}
    broken = read.broken + judged.broken
    if as_json:
        metrics = dict(parts.bundle(bundle).manifest.metrics)
        output.print_json({"bundle": bundle, "serving": serve, **lines, "broken": broken, "training": metrics})
    else:
        told = " and ".join(f"{count:,} {name}" for name, count in lines.items())
        output.say(f"{bundle}, from {told}, {'is served now' if serve else 'is in the store'}.")
        for error in [*read.errors, *judged.errors][:SHOWN]:
            output.warn(str(error))
    if broken:
        raise typer.Exit(InvalidItem.exit_code)
