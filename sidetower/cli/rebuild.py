"""``sidetower rebuild``: a new index of a kind beside the running one, then served instead of it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from domain.errors import InvalidItem, InvalidQuery
from sidetower.cli import output
from sidetower.cli.stopping import Stop
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from domain.catalogue import Kind
    from indexer.refill import RefillReport
    from sidetower.parts import Parts
    from sidetower.rebuilding import Rebuilt, Watch

RateOption = Annotated[float, typer.Option(min=0, help="Items a second at most, to spare the engine; 0 = no limit.")]

#: Threads of one network call; it has the machine to itself, or is throttled.
THREADS: Final = 2
#: Seconds between two lines of progress where no terminal shows a bar.
LINES: Final = 10.0
#: Errors shown in the terminal; `--json` shows all that were kept.
SHOWN: Final = 10


def rebuild(
    config: output.ConfigPath = DEFAULT_FILE,
    kind: Annotated[str, typer.Option(help="Which kind, where there are several.")] = "",
    bundle: Annotated[str, typer.Option(help="Id of the bundle to serve it with. Default: that of now.")] = "",
    encoder: Annotated[
        str, typer.Option(help="Build a new bundle: bootstrap, or a sentence-transformers model by name or folder.")
    ] = "",
    rate: RateOption = 0.0,
    retire: Annotated[bool, typer.Option("--retire", help="Drop what nobody is served from any more.")] = False,
    roll_back: Annotated[bool, typer.Option("--roll-back", help="Serve the generation before again.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Build a new generation of a kind from what is stored, while it is served and changed, then serve that.

    It may be interrupted and run again: it goes on where it stopped. The generation before stays current, to roll back
    to, until --retire or the next rebuild drops it.
    """
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    if sum(map(bool, (bundle, encoder, retire, roll_back))) > 1:
        fix = "Leave out all but one of --bundle, --encoder, --retire and --roll-back."
        raise InvalidQuery("options", expected="one thing to do", got="several", fix=fix)
    parts = Parts(settings, threads=THREADS)
    if retire:
        _retire(parts, chosen, as_json=as_json)
    elif roll_back:
        _roll_back(parts, chosen, as_json=as_json)
    else:
        _rebuild(parts, chosen, bundle, encoder, rate, as_json=as_json)


def refill(parts: Parts, kind: Kind, rate: float, *, as_json: bool) -> None:
    """``sidetower index --from-own-index``: every generation gets what it lacks."""
    from sidetower.agreement import check_agreement
    from sidetower.rebuilding import refill_own

    check_agreement(parts, kind)
    stop = Stop()
    with output.progress(quiet=as_json) as bar, _watch(bar, stop, quiet=as_json) as watch:
        reports = refill_own(parts, kind, rate, watch)
    if as_json:
        output.print_json({"generations": {name: _counts(report) for name, report in reports.items()}})
    for name, report in reports.items():
        _tell(name, report, as_json=as_json)
    _end(stop, sum(report.failed for report in reports.values()))


def _rebuild(parts: Parts, kind: Kind, bundle: str, encoder: str, rate: float, *, as_json: bool) -> None:
    from sidetower.agreement import check_agreement
    from sidetower.rebuilding import rebuild as run

    check_agreement(parts, kind)
    stop = Stop()
    began = time.monotonic()
    with output.progress(quiet=as_json) as bar, _watch(bar, stop, quiet=as_json) as watch:
        done = run(parts, kind, bundle=bundle, encoder=encoder, rate=rate, watch=watch)
    if as_json:
        output.print_json(_document(done) | {"seconds": round(time.monotonic() - began, 1)})
    _tell(done.planned.generation, done.fill, as_json=as_json)
    if not as_json and done.promoted:
        output.say(f"{kind.name} is served from {done.planned.generation} with {done.planned.bundle}.", "bold green")
        output.say(f"{done.source} stays current: sidetower rebuild --roll-back returns to it, --retire drops it.")
    elif not as_json:
        output.warn(f"Stopped: {kind.name} is still served from {done.source}. The same command goes on.")
    _end(stop, done.fill.failed)


def _retire(parts: Parts, kind: Kind, *, as_json: bool) -> None:
    from sidetower.rebuilding import steps

    dropped = steps(parts, kind).retire()
    if as_json:
        output.print_json({"dropped": dropped})
    else:
        output.say(f"Dropped: {', '.join(dropped)}." if dropped else "There is nothing to drop.")


def _roll_back(parts: Parts, kind: Kind, *, as_json: bool) -> None:
    from sidetower.rebuilding import steps

    release = steps(parts, kind).roll_back()
    if as_json:
        output.print_json({"generation": release.default.generation, "bundle": release.default.bundle})
    else:
        output.say(f"{kind.name} is served from {release.default.generation} with {release.default.bundle}.")


@contextmanager
def _watch(bar: Progress, stop: Stop, *, quiet: bool) -> Iterator[Watch]:
    """Progress as a bar for each generation; without a terminal as a line now and then."""
    from sidetower.cli.index import staged
    from sidetower.rebuilding import Watch

    tasks: dict[str, TaskID] = {}
    lines = _Lines()

    def on_page(target: str, total: int, report: RefillReport) -> None:
        if target not in tasks:
            tasks[target] = bar.add_task(f"filling {target}", total=total)
        bar.update(tasks[target], completed=report.read, total=max(total, report.read))
        if bar.disable and not quiet:
            lines.tell(target, total, report.read)

    def say(text: str) -> None:
        if not quiet:
            output.warn(text)

    yield Watch(stop.is_set, on_page, say, staged(bar))


class _Lines:
    """Lines of progress with rate and time left, not too many of them."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, int]] = {}
        self._told = time.monotonic()

    def tell(self, target: str, total: int, read: int) -> None:
        """One line, if the last one is a while ago."""
        now = time.monotonic()
        began, before = self._began.setdefault(target, (now, read))
        if now - self._told < LINES or read == before:
            return
        self._told = now
        speed = (read - before) / (now - began)
        left = max(total - read, 0) / speed
        output.warn(f"filling {target}: {read:,} of {total:,}, {speed:,.0f}/s, about {left:,.0f} s left")


def _counts(report: RefillReport) -> dict[str, Any]:
    return {
        "read": report.read,
        "vectors_computed": report.embedded,
        "vectors_kept": report.reused,
        "tombstones": report.removed,
        "unchanged": report.unchanged,
        "parked": report.parked,
        "failed": report.failed,
        "complete": report.complete,
        "errors": report.errors,
    }


def _document(done: Rebuilt) -> dict[str, Any]:
    release = {"generation": done.planned.generation, "bundle": done.planned.bundle, "previous": done.source}
    compared = done.comparison.compared if done.comparison else None
    return release | {"promoted": done.promoted, "fill": _counts(done.fill), "compared": compared}


def _tell(name: str, report: RefillReport, *, as_json: bool) -> None:
    if as_json:
        return
    rows = [(key.replace("_", " "), count) for key, count in _counts(report).items() if key != "errors"]
    output.print_table([name, ""], rows)
    for error in report.errors[:SHOWN]:
        output.warn(error)
    if len(report.errors) > SHOWN:
        output.warn(f"... and {report.failed - SHOWN:,} more; --json shows up to 100.")


def _end(stop: Stop, failed: int) -> None:
    """The exit status: ended before the end by a signal, or with something told."""
    if stop.is_set():
        raise typer.Exit(stop.exit_code)
    if failed:
        raise typer.Exit(InvalidItem.exit_code)
