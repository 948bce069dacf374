"""``sidetower index``: read a file or an index of the host into Sidetower's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from domain.errors import InvalidItem, InvalidQuery
from sidetower.cli import output
from sidetower.cli.rebuild import RateOption, refill
from sidetower.cli.search import check_tenant
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from domain.catalogue import Kind
    from domain.ports import ItemSource
    from indexer.fill import FillReport
    from sidetower.indexing import Passes
    from sidetower.parts import Parts

#: Threads of one network call while filling; a fill has the machine to itself.
THREADS: Final = 2
#: Errors shown in the terminal; `--json` shows all that were kept.
SHOWN: Final = 10


def index(
    config: output.ConfigPath = DEFAULT_FILE,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="JSONL, CSV or Parquet file to read.")] = None,
    from_index: Annotated[str, typer.Option(help="Index of the configured OpenSearch to read; never written.")] = "",
    kind: Annotated[str, typer.Option(help="Which kind it is, where there are several.")] = "",
    tenant: output.TenantOption = "",
    encoder: Annotated[
        str, typer.Option(help="First time only: bootstrap, or a sentence-transformers model by name or folder.")
    ] = "bootstrap",
    from_own_index: Annotated[
        bool, typer.Option("--from-own-index", help="Read what Sidetower itself has stored, and add missing vectors.")
    ] = False,
    rate: RateOption = 0.0,
    as_json: output.JsonFlag = False,
) -> None:
    """Index documents with their vectors; safe to interrupt and run again.

    Without --file and --from-index it reads the kind's source, where the configuration names one. The first time it
    also builds the bundle of networks from these documents. Exit status 3: some documents were told as broken, all
    others are in.
    """
    from sidetower.indexing import Passes
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    parts = Parts(settings, threads=THREADS)
    if from_own_index:
        if file or from_index:
            fix = "Leave out --file and --from-index: the items are stored already."
            raise InvalidQuery("options", expected="--from-own-index alone", got="another source too", fix=fix)
        refill(parts, chosen, rate, as_json=as_json)
        return
    need_tenant(chosen, tenant)
    source = named_source(parts, chosen, file, from_index)
    with output.progress(quiet=as_json) as bar:
        passes = Passes(parts, source, chosen, tenant)
        report = _index(parts, chosen, passes, rate, encoder, bar)
    _tell(report, passes.marked if chosen.removed else None, as_json=as_json)
    if report.failed or report.conflicting:
        raise typer.Exit(InvalidItem.exit_code)


def need_tenant(kind: Kind, tenant: str) -> None:
    """Refuse to go on without knowing whose items they are."""
    if not tenant and not kind.tenant:
        raise InvalidQuery(
            "--tenant", expected="whose items these are", got="nothing", fix="Add --tenant NAME, such as --tenant main."
        )
    if tenant:
        check_tenant(tenant)


def named_source(parts: Parts, kind: Kind, file: Path | None, from_index: str) -> ItemSource:
    """The file or the index of the host that was named; the kind's own source where neither was.

    Raises:
        InvalidQuery: both or nothing is named, or there is no OpenSearch to read an index from.
        SourceError: the file cannot be read.
    """
    if file is None and not from_index and kind.name in parts.config.sources:
        return parts.source(kind)
    if (file is None) == (not from_index):
        got = "both" if file else "neither"
        fix = "Name the file to read with --file, or the index of the configured OpenSearch with --from-index."
        raise InvalidQuery("options", expected="--file or --from-index", got=got, fix=fix)
    if file is not None:
        from plugin.files.opening import open_file_source

        return open_file_source(file, kind.id)
    if parts.embedded:
        fix = "Write opensearch under [engine] in the file, or set SIDETOWER_OPENSEARCH_URL."
        raise InvalidQuery(str(parts.config.place), expected="an OpenSearch to read from", got="none", fix=fix)
    return parts.host_index(from_index, kind)


def _index(parts: Parts, kind: Kind, passes: Passes, rate: float, encoder: str, bar: Progress) -> FillReport:
    from sidetower.agreement import check_agreement
    from sidetower.indexing import build_bundle, fill_kind, first_generation, items_of, paced, sampled

    check_agreement(parts, kind)
    source = passes.source
    if parts.view.current(kind.name) is None:
        bar.console.print(f"First index of {kind.name}: building its bundle from {source.name}.")
        items = sampled(items_of(source, kind, passes.tenant))
        first_generation(parts, kind, build_bundle(parts, [kind], items, encoder, staged(bar)))
        parts.view.forget(kind.name)
    elif encoder != "bootstrap":
        output.warn(f"{kind.name} keeps its encoder; --encoder is not read. sidetower rebuild --encoder changes it.")
    task = bar.add_task(f"indexing {kind.name}", total=source.count())

    def advance(report: FillReport) -> None:
        bar.update(task, completed=report.total + passes.marked)

    return fill_kind(parts, kind, lambda: paced(passes.items(), rate), advance)


def staged(bar: Progress) -> Callable[[str, int, int], None]:
    """Shows each stage of a build as a bar of its own."""
    tasks = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total)
        bar.update(tasks[stage], completed=done, total=total)

    return show


def _tell(report: FillReport, removed: int | None, *, as_json: bool) -> None:
    counts = {
        "read": report.total + (removed or 0),
        "written": report.written,
        "unchanged": report.unchanged,
        "stale": report.stale,
        "conflicting_revision": report.conflicting,
        "failed": report.failed,
        "vectors_computed": report.embedded,
        "vectors_kept": report.carried,
    } | ({} if removed is None else {"marked_removed": removed})
    if as_json:
        output.print_json(counts | {"errors": report.errors})
        return
    output.print_table(["documents", ""], [(name.replace("_", " "), count) for name, count in counts.items()])
    for error in report.errors[:SHOWN]:
        output.warn(error)
    if len(report.errors) > SHOWN:
        output.warn(f"... and {report.failed + report.conflicting - SHOWN:,} more; --json shows up to 100.")
