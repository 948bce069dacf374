"""``sidetower evaluate``: may this bundle stand beside the search tonight?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from domain.errors import InvalidItem, InvalidQuery, Unavailable
from sidetower.cli import output
from sidetower.cli.index import staged
from sidetower.cli.search import KindOption
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from sidetower.evaluating import Evaluation

#: Broken events that are shown.
SHOWN: Final = 10
#: Threads of one network call; it has the machine to itself.
THREADS: Final = 2


def evaluate(
    events: Annotated[Path, typer.Option("--events", "-e", help="JSONL, CSV or Parquet file of events.")],
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    bundle: Annotated[str, typer.Option(help="Id of a stored bundle. Default: the one that serves.")] = "",
    since: Annotated[
        str, typer.Option(help="Ask what people came to from this date on, by what they did before.")
    ] = "",
    people: Annotated[int, typer.Option(min=1, help="People of each tenant that are asked about at most.")] = 1_000,
    window: Annotated[int, typer.Option(min=20, max=1_000, help="Items retrieved before they are ranked.")] = 200,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the figures, as JSON.")] = None,
    report: Annotated[Path | None, typer.Option("--report", "-r", help="File for a report in HTML.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Measure a bundle beside baselines, on people whom the baselines did not learn from.

    All items are ranked for each person, nothing is sampled; intervals hold 95 % of the resampled people. Exit status
    3: some events were told as broken, all others were read.
    """
    from plugin.files.opening import open_file_source
    from sidetower import evaluating
    from sidetower.parts import Parts
    from sidetower.training import read_events

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    parts = Parts(settings, threads=THREADS)
    read = read_events(open_file_source(events, "object_id"), chosen, tenant)
    question = evaluating.Question(bundle, _moment(since), people, window)
    with output.progress(quiet=as_json) as bar:
        found = evaluating.evaluate(parts, chosen, read.events, question, staged(bar))
    document = found.to_document() | {"events": len(read.events), "broken": read.broken}
    if out is not None:
        _write(out, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    if report is not None:
        from sidetower.report.page import page

        _write(report, page(found).encode())
    if as_json:
        output.print_json(document)
    else:
        _tell(found)
        for error in read.errors[:SHOWN]:
            output.warn(str(error))
    if read.broken:
        raise typer.Exit(InvalidItem.exit_code)


def _moment(since: str) -> float | None:
    from domain.catalogue import as_milliseconds

    if not since:
        return None
    try:
        return as_milliseconds(since, "--since") / 1000
    except InvalidItem as error:
        raise InvalidQuery("--since", expected=error.expected, got=error.got, fix=error.fix) from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        fix = "Name a file in a folder that exists and may be written."
        raise Unavailable(str(path), expected="a file that can be written", got=str(error), fix=fix) from error


def _tell(found: Evaluation) -> None:
    from recommender.evaluation.comparison import MAIN

    everybody = found.comparisons[0]
    output.say(f"{found.bundle} on {found.items:,} items of {found.kind}, {everybody.cases:,} people", "bold")
    metrics = list(everybody.methods[everybody.ours])
    best_first = sorted(everybody.methods.items(), key=lambda named: -named[1][MAIN].value)
    rows = [[name, *(str(one[metric]) for metric in metrics)] for name, one in best_first]
    output.print_table(["method", *metrics], rows)
    output.say(f"The best {found.question.window} by vector hold {found.window_recall} of what is wanted.")
    for one in found.comparisons:
        (output.say if one.winner == one.ours else output.warn)(one.verdict())
    for doubt in found.doubts:
        output.warn(doubt)
