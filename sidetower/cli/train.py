"""``sidetower train``: train user tower, scorer and neighbours from what people did."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from domain.errors import InvalidItem
from sidetower.cli import output
from sidetower.cli.index import staged
from sidetower.cli.search import KindOption
from sidetower.config import DEFAULT_FILE, load_config

#: Broken events that are shown.
SHOWN: Final = 10


def train(
    events: Annotated[Path, typer.Option("--events", "-e", help="JSONL, CSV or Parquet file of events.")],
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    hold_out: Annotated[
        bool, typer.Option("--hold-out", help="Leave out the people whom sidetower evaluate reports on.")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the new bundle at once.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Train into the space that is served: no item needs a new vector.

    Events have the fields user_id, action_name, object_id and timestamp. Interrupted, it goes on where it stopped.
    Exit status 3: some events were told as broken, all others were learnt from.
    """
    from plugin.files.opening import open_file_source
    from sidetower import training
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    parts = Parts(settings)
    read = training.read_events(open_file_source(events, "object_id"), chosen, tenant)
    with output.progress(quiet=as_json) as bar:
        bundle = training.train(parts, chosen, read.events, staged(bar), hold_out=hold_out)
    if serve:
        training.serve_bundle(parts, chosen, bundle)
    document = {
        "bundle": bundle,
        "serving": serve,
        "events": len(read.events),
        "broken": read.broken,
        "training": dict(parts.bundle(bundle).manifest.metrics),
    }
    if as_json:
        output.print_json(document)
    else:
        output.say(f"{bundle}, from {len(read.events):,} events, {'is served now' if serve else 'is in the store'}.")
        for error in read.errors[:SHOWN]:
            output.warn(str(error))
    if read.broken:
        raise typer.Exit(InvalidItem.exit_code)
