"""A proposal as the text of a configuration file, with the reasons as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sidetower.proposal.field_roles import Entry
from sidetower.proposal.propose import Proposal

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ABOUT = {
    "text": "Searched by words; the heaviest is the title.",
    "category": "Words that group items; the item tower reads them.",
    "number": "Numbers of the item itself; the item tower reads them.",
    "signal": "Numbers that change by themselves; only the scorer reads them.",
    "filter": "What searches can filter by: keyword, number, boolean or date.",
}


def config_text(proposal: Proposal, *, source: str, check: str, opensearch: str = "") -> str:
    """A whole configuration file; `load_config` gives back the proposal's kind.

    Args:
        proposal: what to write.
        source: what was looked at, as a person would name it.
        check: the command that tries the file.
        opensearch: address of the cluster; "" = the embedded engine.
    """
    lines = [
        f"# Proposed by `sidetower init` from {_plain(source)}.",
        "# Read it, correct what you know better, then run:",
        f"#   {_plain(check)}",
        "",
        "[engine]",
        *_engine(opensearch),
        "",
        "[queue]",
        "# Where work waits. Without an address: inside the process, which is enough for one process.",
        '# redis = "redis://localhost:6379/0"',
        "",
        f"[kinds.{proposal.name}]",
        *_singles(proposal),
    ]
    for role in ("category", "number", "signal"):
        lines += _list(role, proposal.of(role))
    lines += _unused(proposal)
    lines += _table(proposal.name, "text", [(one, repr(one.weight)) for one in proposal.of("text")])
    lines += _table(proposal.name, "filter", [(one, _text(one.type.value)) for one in proposal.of("filter")])
    return "\n".join(lines) + "\n"


def _engine(opensearch: str) -> list[str]:
    secrets = "User and password come from SIDETOWER_OPENSEARCH_USER and SIDETOWER_OPENSEARCH_PASSWORD."
    if opensearch:
        where = [f"# {secrets}", f"opensearch = {_text(opensearch)}"]
    else:
        where = [
            "# Without an address: the embedded engine, enough for one machine and some 100,000 items.",
            '# opensearch = "http://localhost:9200"',
            f"# {secrets}",
        ]
    return [*where, "# Folder of the embedded database and of the models.", 'path = ".sidetower"']


def _singles(proposal: Proposal) -> list[str]:
    lines = []
    for role in ("id", "revision", "tenant", "audience"):
        lines += [line for one in proposal.of(role) for line in (f"# {one.reason}", f"{role} = {_text(one.field)}")]
    if not proposal.of("revision"):
        lines += [
            "# No field grows with every change; without one, the time of reading decides which revision is newer.",
            '# revision = "updated_at"',
        ]
    return lines


def _list(role: str, entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    rows = [(f"  {_text(one.field)},", one.reason) for one in entries]
    return [f"# {_ABOUT[role]}", f"{role} = [", *_aligned(rows), "]"]


def _table(kind: str, role: str, entries: Sequence[tuple[Entry, str]]) -> list[str]:
    if not entries:
        return []
    rows = [(f"{_key(one.field)} = {value}", one.reason) for one, value in entries]
    return ["", f"# {_ABOUT[role]}", f"[kinds.{kind}.{role}]", *_aligned(rows)]


def _unused(proposal: Proposal) -> list[str]:
    rows = [(f"#   {_plain(name)}", reason) for name, reason in proposal.unused.items()]
    return ["# Not used:", *_aligned(rows, mark=": ")] if rows else []


def _aligned(rows: Sequence[tuple[str, str]], mark: str = "  # ") -> list[str]:
    width = max(len(left) for left, _ in rows) if mark.startswith(" ") else 0
    return [f"{left.ljust(width)}{mark}{reason}" if reason else left for left, reason in rows]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # TOML's basic strings escape as JSON does.
    return json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    """The text on one line of a comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
