"""``sidetower evaluate``: may this bundle stand beside the search tonight?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from domain.errors import ConfigurationError, InvalidItem, InvalidQuery, Unavailable
from sidetower.cli import output
from sidetower.cli.index import staged
from sidetower.cli.search import KindOption
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.evaluation.comparison import Comparison
    from sidetower.evaluating import Evaluation

#: Broken lines that are shown.
SHOWN: Final = 10
#: Threads of one network call; it has the machine to itself.
THREADS: Final = 2


def evaluate(
    events: Annotated[Path | None, typer.Option("--events", "-e", help="JSONL, CSV or Parquet file of events.")] = None,
    judgments: Annotated[
        Path | None, typer.Option("--judgments", "-j", help="JSONL, CSV or Parquet file of judged queries.")
    ] = None,
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
    """Measure a bundle beside baselines, on people and queries that the baselines did not learn from.

    For each person all items are ranked, for each query its judged ones; nothing is sampled. Intervals hold 95 % of the
    resamples. Exit status 3: some lines were told as broken, all others were read.
    """
    from plugin.files.opening import open_file_source
    from sidetower import evaluating
    from sidetower.judgments import ReadJudgments, read_judgments
    from sidetower.parts import Parts
    from sidetower.training import ReadEvents, read_events

    if events is None and judgments is None:
        fix = "Name a file to ask about."
        raise ConfigurationError("evaluate", expected="--events or --judgments", got="neither", fix=fix)
    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    parts = Parts(settings, threads=THREADS)
    told = read_events(open_file_source(events, "object_id"), chosen, tenant) if events else ReadEvents()
    judged = read_judgments(open_file_source(judgments, "item_id"), tenant) if judgments else ReadJudgments()
    question = evaluating.Question(bundle, _moment(since), people, window)
    asked = (told.events if events else None, judged.judgments if judgments else None)
    with output.progress(quiet=as_json) as bar:
        found = evaluating.evaluate(parts, chosen, *asked, question, staged(bar))
    document = found.to_document() | {"broken": told.broken + judged.broken}
    if out is not None:
        _write(out, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    if report is not None:
        from sidetower.report.page import page

        _write(report, page(found).encode())
    if as_json:
        output.print_json(document)
    else:
        _tell(found)
        for error in [*told.errors, *judged.errors][:SHOWN]:
            output.warn(str(error))
    if document["broken"]:
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
    output.say(f"{found.bundle} on {found.items:,} items of {found.kind}", "bold")
    if found.people is not None:
        people = found.people
        _table(people.comparisons[0], "people")
        output.say(f"The best {people.question.window} by vector hold {people.window_recall} of what is wanted.")
        _verdicts(people.comparisons, people.doubts)
    if found.searches is not None:
        searches = found.searches
        _table(searches.comparisons[0], "queries")
        _verdicts(searches.comparisons, searches.doubts)
        if searches.reliability is not None:
            output.say(str(searches.reliability))


def _table(one: Comparison, what: str) -> None:
    from recommender.evaluation.comparison import MAIN

    metrics = list(one.methods[one.ours])
    best_first = sorted(one.methods.items(), key=lambda named: -named[1][MAIN].value)
    rows = [[name, *(str(figures[metric]) for metric in metrics)] for name, figures in best_first]
    output.print_table([f"{one.cases:,} {what}", *metrics], rows)


def _verdicts(comparisons: Sequence[Comparison], doubts: Sequence[str]) -> None:
    for one in comparisons:
        (output.say if one.winner == one.ours else output.warn)(one.verdict())
    for doubt in doubts:
        output.warn(doubt)
