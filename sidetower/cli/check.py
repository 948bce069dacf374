"""``sidetower check``: say everything that is wrong, before anything is indexed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import SidetowerError
from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, Config, load_config, problems

if TYPE_CHECKING:
    from sidetower.document_check import DocumentCheck


def check(
    config: output.ConfigPath = DEFAULT_FILE,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Also try these documents.")] = None,
    kind: Annotated[str, typer.Option(help="Which kind the documents are of, where there are several.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many documents to try.")] = 1_000,
    as_json: output.JsonFlag = False,
) -> None:
    """Say what is wrong with the configuration, and with documents, all at once; nothing is stored."""
    found = problems(config, os.environ)
    if found:
        _tell(config, [(error, None) for error in found], None, as_json=as_json)
        raise typer.Exit(found[0].exit_code)
    settings = load_config(config, os.environ)
    tried = _try(settings, file, kind, limit) if file else None
    faults = [(fault.error, fault.count) for fault in tried.faults] if tried else []
    _tell(config, faults, tried, as_json=as_json)
    if faults:
        raise typer.Exit(min(error.exit_code for error, _ in faults))
    if not as_json:
        _praise(settings, tried)


def _try(settings: Config, file: Path, kind: str, limit: int) -> DocumentCheck:
    from plugin.files.opening import open_file_source
    from sidetower.document_check import check_documents

    chosen = settings.kind(kind)
    return check_documents(chosen, islice(open_file_source(file, chosen.id).scan(), limit))


def _tell(
    config: Path, faults: Sequence[tuple[SidetowerError, int | None]], tried: DocumentCheck | None, *, as_json: bool
) -> None:
    documents = tried.documents if tried else 0
    notes = tried.notes if tried else []
    if as_json:
        told = [output.error_document(error) | ({"count": count} if count else {}) for error, count in faults]
        answer: dict[str, Any] = {"ok": not faults, "config": str(config), "problems": told, "notes": notes}
        output.print_json(answer | ({"documents": documents, "valid": tried.valid} if tried else {}))
        return
    for error, count in faults:
        output.print_error(error, stderr=False, note=f"({count:,} of {documents:,} documents)" if count else "")
    for note in notes:
        output.say(f"Note: {note}")
    if faults:
        where = f"{tried.valid:,} of {documents:,} documents can be indexed" if tried else f"see {config}"
        output.say(f"{len(faults)} {'problem' if len(faults) == 1 else 'problems'}; {where}.", style="bold red")


def _praise(settings: Config, tried: DocumentCheck | None) -> None:
    engine = settings.engine.opensearch or f"embedded, in {settings.path}"
    output.say(f"{settings.place} is right.", style="bold green")
    output.say(f"Engine: {engine}")
    output.say(f"Kinds: {', '.join(settings.kinds)}")
    if tried:
        output.say(f"All of the {tried.documents:,} documents tried can be indexed as {tried.kind.name}.")
