"""How every command speaks: tables and progress in a terminal, JSON for scripts, errors with a way out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from domain.errors import SidetowerError

#: Options that several commands share.
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]
ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", envvar="SIDETOWER_CONFIG", help="The configuration file.", dir_okay=True)
]
TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="Whose items; no answer crosses it.")]

# Columns of a table in a pipe or a file, where no terminal sets the width.
_PIPE_WIDTH = 160
_STYLES = {"expected": "green", "got": "red", "fix": "bold"}


def say(text: str, style: str = "") -> None:
    """One line to standard output; in a pipe it is neither wrapped nor coloured."""
    _console().print(Text(_printable(text), style=style), soft_wrap=True)


def warn(text: str) -> None:
    """One line to standard error."""
    _console(stderr=True).print(Text(_printable(text), style="yellow"), soft_wrap=True)


def print_json(value: Any) -> None:
    """The value as indented JSON on standard output, and nothing else."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def print_line(value: Any) -> None:
    """The value as JSON on a line of its own, at once: for commands that go on."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Rows under their column names; numbers stand to the right."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    listed = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in listed)
        table.add_column(column, justify="right" if numeric and listed else "left", header_style="dim", overflow="fold")
    for row in listed:
        table.add_row(*(Text(_printable(_cell(value))) for value in row))
    _console().print(table)


def error_document(error: SidetowerError) -> dict[str, str]:
    """The error as every JSON answer of Sidetower shows it."""
    named = {"place": error.place, "expected": error.expected, "got": error.got, "fix": error.fix}
    # Quoted input may hold half surrogate pairs, which JSON cannot.
    return {"code": error.code} | {name: text.encode(errors="replace").decode() for name, text in named.items()}


def print_error(error: SidetowerError, *, as_json: bool = False, stderr: bool = True, note: str = "") -> None:
    """The error in four lines, or as one JSON object.

    Args:
        error: what to tell.
        as_json: for scripts.
        stderr: to standard error, else to standard output.
        note: behind the place, such as how often it happened.
    """
    if as_json:
        stream = sys.stderr if stderr else sys.stdout
        stream.write(orjson.dumps({"error": error_document(error)}).decode() + "\n")
        return
    console = _console(stderr=stderr)
    console.print(Text(_printable(error.place), style="bold") + Text(f"  {note}" if note else ""), soft_wrap=True)
    for name in ("expected", "got", "fix"):
        label = Text(f"  {name:<9}", style=_STYLES[name])
        console.print(label + Text(_printable(getattr(error, name))), soft_wrap=True)


def progress(*, quiet: bool = False) -> Progress:
    """A bar with count, rate and time left, to use in a ``with``; nothing is shown without a terminal or when quiet.

    Add a task with ``total=None`` when the number of items is not known.
    """
    console = _console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


class _Rate(ProgressColumn):
    """Items a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        """``1,250/s``."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="dim")


def _console(*, stderr: bool = False) -> Console:
    # Made for each use, so that it writes to the stream of the moment.
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if 1_000 <= abs(value) < 10_000:
            return f"{value:.0f}"  # 2019 is more often a year than an amount
        return f"{value:,.0f}" if abs(value) >= 10_000 or value.is_integer() else f"{value:.4g}"
    return str(value)


def _printable(text: str) -> str:
    """The text without signs that would move the cursor or colour the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)
