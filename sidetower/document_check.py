"""Trying documents against a kind: which fields do not fit, how often, and where first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.catalogue import Kind
from domain.errors import ConfigurationError, InvalidItem, SidetowerError
from sidetower.probe import Probe, probes
from sidetower.toml_table import did_you_mean


@dataclass
class Fault:
    """One thing that is wrong with some documents; `error` is the first of them."""

    error: SidetowerError
    #: How many documents have it.
    count: int = 0


@dataclass
class DocumentCheck:
    """What trying the documents has shown."""

    kind: Kind
    documents: int = 0
    #: How many of them can be indexed.
    valid: int = 0
    #: Most frequent first.
    faults: list[Fault] = field(default_factory=list)
    #: Worth knowing, though nothing is wrong.
    notes: list[str] = field(default_factory=list)


def check_documents(kind: Kind, placed: Iterable[tuple[str, Mapping[str, Any] | Exception]]) -> DocumentCheck:
    """The faults of every document in every field; nothing is stored.

    Args:
        kind: how the documents are read.
        placed: documents and their places, from `ItemSource.scan`.
    """
    check, probing = DocumentCheck(kind), probes(kind)
    faults: dict[tuple[str, str], Fault] = {}
    names: set[str] = set()
    filled: set[str] = set()
    ids: dict[str, int] = {}
    for place, document in placed:
        check.documents += 1
        wrong = _wrong(kind, probing, place, document)
        check.valid += not wrong
        for key, error in wrong.items():
            faults.setdefault(key, Fault(error)).count += 1
        if isinstance(document, Mapping):
            names |= document.keys()
            filled |= {name for name in kind.fields() if document.get(name) not in (None, "", [])}
            ids[str(document.get(kind.id))] = ids.get(str(document.get(kind.id)), 0) + 1
    check.faults = sorted(faults.values(), key=lambda fault: -fault.count)
    if names:
        _tell_absent(check, names, filled)
    repeated = sum(count - 1 for one, count in ids.items() if one != "None")
    if repeated:
        check.notes.append(f"{repeated:,} of {check.documents:,} documents repeat an id; the newest revision wins.")
    return check


def _wrong(
    kind: Kind, probing: list[Probe], place: str, document: Mapping[str, Any] | Exception
) -> dict[tuple[str, str], SidetowerError]:
    """The errors of one document, by field and expectation, so that a field with two roles counts once."""
    if isinstance(document, SidetowerError):
        return {("", document.expected): document}
    if isinstance(document, Exception):
        raise document
    wrong: dict[tuple[str, str], SidetowerError] = {}
    for probe in probing:
        if error := probe.fault(document):
            wrong.setdefault((probe.field, error.expected), error.at(place))
    if not wrong:
        try:
            kind.item(document, tenant="" if kind.tenant else "any", revision=None if kind.revision else 0)
        except InvalidItem as error:
            wrong["", error.expected] = error.at(place)
    return wrong


def _tell_absent(check: DocumentCheck, names: set[str], filled: set[str]) -> None:
    """Fields that no document has are misspelt as a rule; fields that are always empty are only worth a note."""
    for name in sorted(check.kind.fields() - names):
        check.faults = [fault for fault in check.faults if not fault.error.place.endswith(f"field {name}")]
        fix = (
            did_you_mean(name, names) or "Correct the name, remove it from the kind, or check more documents (--limit)."
        )
        place, expected = f"[kinds.{check.kind.name}] {name}", "a field of the documents"
        got = f"none of {check.documents:,} documents has it"
        check.faults.insert(0, Fault(ConfigurationError(place, expected=expected, got=got, fix=fix), check.documents))
    for name in sorted((check.kind.fields() & names) - filled):
        check.notes.append(f"{name} is empty in all {check.documents:,} documents.")
