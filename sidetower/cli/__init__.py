"""The command line: one file for each command, registered here."""

from __future__ import annotations

import sys

import typer

from domain.errors import SidetowerError
from sidetower.cli import (
    bundles,
    check,
    demo,
    evaluate,
    follow,
    index,
    init,
    output,
    pipelines,
    rebuild,
    retry,
    search,
    serve,
    similar,
    status,
    train,
    work,
)

app = typer.Typer(
    name="sidetower",
    help="Two towers and a scorer, at the side of your search.",
    no_args_is_help=True,
    add_completion=False,
    # Errors of ours are told by main; what nobody expected keeps its plain traceback.
    pretty_exceptions_enable=False,
)

# A command's file imports at its top only what is light; the rest is imported when the command runs.
app.command("init")(init.init)
app.command("check")(check.check)
app.command("index")(index.index)
app.command("follow")(follow.follow)
app.command("search")(search.search)
app.command("similar")(similar.similar)
app.command("status")(status.status)
app.command("rebuild")(rebuild.rebuild)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("bundles")(bundles.bundles)
app.command("retry")(retry.retry)
app.command("serve")(serve.serve)
app.command("pipelines")(pipelines.pipelines)
app.command("work")(work.work)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; an error of the tree becomes a message on standard error and its exit status."""
    try:
        app()
    except SidetowerError as error:
        output.print_error(error, as_json="--json" in sys.argv[1:])
        sys.exit(error.exit_code)
