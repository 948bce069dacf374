"""JSON Lines: one JSON object on each line."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from plugin.files.lines import MAX_LINE_BYTES, line_count, numbered_lines
from plugin.files.source import FileSource, Placed

_SHOWN = 60
# JSON has no such words, though Python and JavaScript write them.
_NOT_A_NUMBER = ("NaN", "Infinity", "-Infinity")


class JsonlSource(FileSource):
    """Documents of a JSON Lines file, plain or gzip; a broken line is told and its neighbours go through."""

    def count(self) -> int | None:
        """How many lines there are, blank ones included; None for a compressed file."""
        return line_count(self)

    def scan(self) -> Iterator[Placed]:
        """Every document with its place, ``"cars.jsonl line 17"``.

        Raises:
            SourceError: the file is one large JSON value, no text, or its compressed data is damaged.
        """
        empty = True
        for number, line in numbered_lines(self):
            if line is not None and not line.strip():
                continue
            if empty:
                self._check_start(line)
            empty = False
            yield self._document(number, line)
        if empty:
            raise self.failure("at least one document", "only blank lines", "Export the documents again.")

    def _document(self, number: int, line: bytes | None) -> Placed:
        where = f"line {number}"
        if line is None:
            fix = "Shorten the item's texts, or break the line where an item ends."
            return self.broken(where, f"a line of at most {MAX_LINE_BYTES:,} bytes", "a longer one", fix)
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._undecodable(where, line, error)
        if not isinstance(value, dict):
            return self.broken(where, "a JSON object", _short(line), "Put each item's fields in { }.")
        return self.placed(where), value

    def _undecodable(self, where: str, line: bytes, error: orjson.JSONDecodeError) -> Placed:
        try:
            text = line.decode()
        except UnicodeDecodeError as wrong:
            got = f"byte 0x{line[wrong.start]:02x} at column {wrong.start + 1}"
            return self.broken(where, "text in UTF-8", got, "Export the file as UTF-8.")
        rest = text[error.pos :]
        fix = "Repair the line, or leave it out."
        if rest.startswith(_NOT_A_NUMBER) or error.msg.startswith("number is infinity"):
            fix = "Write null for a missing number, or leave the field out."
        got = f"{error.msg} at column {error.pos + 1}: {_short(rest.encode()) if rest else 'end of line'}"
        return self.broken(where, "one JSON object", got, fix)

    def _check_start(self, line: bytes | None) -> None:
        start = (line or b"").strip()
        if start in (b"[", b"{") or (start.startswith(b"[") and not start.endswith(b"]")) or _is_objects(start):
            fix = f"Convert it: jq -c '.[]' {self.path.name} > items.jsonl."
            raise self.failure("one JSON object on each line", "one JSON value over the whole file", fix)


def _is_objects(line: bytes) -> bool:
    return line.startswith(b"[") and line[1:].lstrip().startswith(b"{")


def _short(text: bytes) -> str:
    shown = text.decode(errors="replace").strip()
    return repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")
