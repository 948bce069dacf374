"""``sidetower init``: look at documents and propose a configuration file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import ConfigurationError, NotFound, SourceError
from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, address_fault, kind_name_fault

if TYPE_CHECKING:
    from sidetower.document_check import DocumentCheck
    from sidetower.proposal.field_roles import Entry
    from sidetower.proposal.propose import Proposal


@dataclass
class _Looked:
    """Documents to propose from, and how to name them."""

    documents: Sequence[Mapping[str, Any]]
    #: As a person would name it: ``2,000 of 15,335 documents of items.parquet``.
    source: str
    #: Behind ``sidetower check``, to try the proposal on the same documents.
    check: str = ""
    #: Name of the kind when the id field names none.
    fallback: str = "item"
    types: Mapping[str, str] | None = None


def init(
    *,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Documents: .jsonl, .csv or .parquet.")] = None,
    opensearch: Annotated[str, typer.Option(help="Address of OpenSearch, to look at an index of it.")] = "",
    index: Annotated[str, typer.Option(help="The index to look at; it is read, never written.")] = "",
    kind: Annotated[str, typer.Option(help="What the items are: listing, article. Default: from the id field.")] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="The configuration file to write.")] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Look at your documents and propose sidetower.toml, with the reason for every choice."""
    from sidetower.proposal.config_text import config_text
    from sidetower.proposal.propose import propose

    if bool(file) == bool(opensearch or index):
        fix = (
            "Run sidetower init --file items.jsonl, or sidetower init --opensearch http://localhost:9200 --index items."
        )
        raise ConfigurationError("sidetower init", expected="a file, or an index", got="neither or both", fix=fix)
    if out.exists() and not force:
        fix = "Choose another name with --out, or replace the file with --force."
        raise ConfigurationError(str(out), expected="no such file yet", got="a file", fix=fix)
    if kind and (fault := kind_name_fault(kind)):
        expected, got, fix = fault
        raise ConfigurationError("sidetower init --kind", expected=expected, got=got, fix=fix)
    looked = _file(file) if file else _index(opensearch, index)
    proposal = propose(looked.documents, looked.source, name=kind, fallback=looked.fallback, types=looked.types)
    command = " ".join(["sidetower check", *([f"--config {shlex.quote(str(out))}"] if out != DEFAULT_FILE else [])])
    command = f"{command}{looked.check}"
    text = config_text(proposal, source=looked.source, check=command, opensearch=opensearch)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        got = error.strerror or str(error)
        raise ConfigurationError(
            str(out), expected="a place to write to", got=got, fix="Choose another --out."
        ) from None
    _tell(proposal, looked, out, command, as_json=as_json)


def _file(path: Path) -> _Looked:
    from plugin.files.opening import open_file_source
    from sidetower.sample import sample

    source = open_file_source(path, "")
    found = sample(source)
    if not found.documents:
        raise found.broken[0]
    total = source.count()
    whole = f"{len(found.documents):,} of {total:,}" if total and total > len(found.documents) else f"{found.read:,}"
    for error in found.broken[:1]:
        output.warn(f"{len(found.broken):,} of {found.read:,} places cannot be read; the first: {error}")
    return _Looked(found.documents, f"{whole} documents of {path.name}", f" --file {shlex.quote(str(path))}")


def _index(address: str, index: str) -> _Looked:
    for option, value in (("--opensearch", address), ("--index", index)):
        if not value:
            fix = "Name both: --opensearch http://localhost:9200 --index items."
            raise ConfigurationError("sidetower init", expected=f"a value for {option}", got="none", fix=fix)
    if fault := address_fault(address, "opensearch"):
        expected, got, fix = fault
        raise ConfigurationError("sidetower init --opensearch", expected=expected, got=got, fix=fix)

    from plugin.opensearch.client import connect
    from plugin.opensearch.inspect import describe_index

    user = os.environ.get("SIDETOWER_OPENSEARCH_USER", "")
    client = connect(address, user=user, password=os.environ.get("SIDETOWER_OPENSEARCH_PASSWORD", ""))
    try:
        types, documents = describe_index(client, index)
    except NotFound as error:
        fix = f"Check the name: curl {address.rstrip('/')}/_cat/indices"
        raise SourceError(f"index {index}", expected="an index to look at", got=error.got, fix=fix) from None
    if not documents:
        fix = "Name an index that holds your items."
        raise SourceError(f"index {index}", expected="at least one document", got="none", fix=fix)
    # The engine's own id is left out where a field of the document says the same.
    if any(all(str(one.get(name)) == one["_id"] for one in documents) for name in types):
        documents = [{name: value for name, value in one.items() if name != "_id"} for one in documents]
    own = {name: known for name, known in types.items() if "." not in name}
    return _Looked(
        documents,
        f"{len(documents):,} documents of index {index}",
        fallback="item" if kind_name_fault(index) else index,
        types=own,
    )


def _tell(proposal: Proposal, looked: _Looked, out: Path, command: str, *, as_json: bool) -> None:
    from sidetower.document_check import check_documents

    tried = check_documents(proposal.kind, [("the sample", document) for document in looked.documents])
    if as_json:
        output.print_json(_document(proposal, tried, out))
        return
    output.print_table(("field", "roles", "why"), _rows(proposal), title=f"Kind {proposal.name}, from {looked.source}")
    if proposal.unused:
        output.say("")
        output.print_table(("not used", "why"), list(proposal.unused.items()))
    output.say("")
    for fault in tried.faults:
        output.warn(f"{fault.count:,} of {tried.documents:,} documents cannot be indexed: {fault.error}")
    output.say(f"{tried.valid:,} of {tried.documents:,} documents of the sample can be indexed with it.")
    output.say(f"Written: {out}", style="bold green")
    output.say(f"Next: read it, then run {command}")


def _rows(proposal: Proposal) -> list[tuple[str, str, str]]:
    """A line for each field: its roles, and the reason for the first of them."""
    fields: dict[str, list[Entry]] = {}
    for entry in proposal.entries:
        fields.setdefault(entry.field, []).append(entry)
    return [
        (name, ", ".join(map(_role, entries)), next((one.reason for one in entries if one.reason), ""))
        for name, entries in fields.items()
    ]


def _role(entry: Entry) -> str:
    if entry.role == "text":
        return f"text {entry.weight}"
    return f"filter {entry.type}" if entry.role == "filter" else entry.role


def _document(proposal: Proposal, tried: DocumentCheck, out: Path) -> dict[str, Any]:
    roles = [{"field": entry.field, "role": _role(entry), "reason": entry.reason or None} for entry in proposal.entries]
    return {
        "config": str(out),
        "kind": proposal.name,
        "roles": roles,
        "unused": dict(proposal.unused),
        "documents": tried.documents,
        "valid": tried.valid,
        "problems": [{**output.error_document(fault.error), "count": fault.count} for fault in tried.faults],
    }
