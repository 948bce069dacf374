"""CSV: a line of column names, then one document in each row; every value is text."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from plugin.files.lines import MAX_LINE_BYTES, line_count, numbered_lines
from plugin.files.source import FileSource, Placed

_DELIMITERS = ",;\t|"
# A row may hold texts with line breaks; an open quotation mark must not swallow the rest of the file.
_MAX_ROW_LINES = 10_000
_QUOTES = 'Put values that hold the delimiter, " or a line break in quotation marks, and write " in them as "".'


class CsvSource(FileSource):
    """Documents of a CSV file, plain or gzip; a broken row is told and its neighbours go through.

    The delimiter (comma, semicolon, tab or bar) is taken from the line of column names. Columns without a name
    are not read.
    """

    def count(self) -> int | None:
        """How many lines follow the column names, more than rows where texts have line breaks; None for gzip."""
        lines = line_count(self)
        return None if lines is None else max(lines - 1, 0)

    def scan(self) -> Iterator[Placed]:
        """Every document with its place, ``"cars.csv line 17"`` (the row's first line).

        Raises:
            SourceError: no usable column names, no rows, no text, or damaged compressed data.
        """
        # For the whole process; the module's own 128 KiB would refuse long articles.
        csv.field_size_limit(MAX_LINE_BYTES)
        lines = _Lines(numbered_lines(self))
        header, delimiter = self._header(lines)
        empty = True
        while (number := lines.next_number()) is not None:
            empty = False
            yield self._row(lines, number, header, delimiter)
        if empty:
            raise self.failure("at least one row", "only column names", "Export the documents again.")

    def _row(self, lines: _Lines, number: int, header: list[str], delimiter: str) -> Placed:
        where = f"line {number}"
        lines.start()
        fault = ""
        cells: list[str] = []
        try:
            cells = next(csv.reader(lines, delimiter=delimiter, strict=True))
        except csv.Error as error:
            fault = f"{error}".replace("unexpected end of data", "a quotation mark that is never closed")
        except UnicodeDecodeError as error:
            lines.recover()
            got = f"byte 0x{error.object[error.start]:02x} at column {error.start + 1}"
            return self.broken(where, "text in UTF-8", got, "Export the file as UTF-8.")
        except OverflowError:
            lines.recover()
            fix = "Shorten the item's texts."
            return self.broken(where, f"a row of at most {MAX_LINE_BYTES:,} bytes", "a longer one", fix)
        if fault or len(cells) != len(header):
            lines.recover()
            fault = fault or f"{len(cells)} values"
            return self.broken(where, f"{len(header)} values, one for each column", fault, _QUOTES)
        return self.placed(where), {name: cell for name, cell in zip(header, cells, strict=True) if name}

    def _header(self, lines: _Lines) -> tuple[list[str], str]:
        if (number := lines.next_number()) is None:
            raise self.failure("a line of column names", "only blank lines", "Export the documents again.")
        where = f"line {number}"
        first = lines.peek()
        delimiter = max(_DELIMITERS, key=first.count)
        try:
            names = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter, strict=True))]
        except (csv.Error, UnicodeDecodeError, OverflowError) as error:
            raise self.failure("a line of column names in UTF-8", str(error)[:120], _QUOTES, where) from None
        named = [name for name in names if name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            got = f"{', '.join(map(repr, twice))} more than once"
            raise self.failure("every column name once", got, "Rename or remove one of the columns.", where)
        if not named:
            raise self.failure("a line of column names", "none", "Write the names in the first line.", where)
        return names, delimiter


@dataclass
class _Lines:
    """Lines for the csv reader that can be given back, so that a broken row costs only its first line."""

    source: Iterator[tuple[int, bytes | None]]
    #: Lines that the row now being read has taken.
    taken: list[tuple[int, bytes | None]] = field(default_factory=list)
    waiting: deque[tuple[int, bytes | None]] = field(default_factory=deque)
    _size: int = 0

    def next_number(self) -> int | None:
        """Number of the next line that is not blank; None at the end of the file."""
        while self._fill():
            number, line = self.waiting[0]
            if line is None or line.strip():
                return number
            self.waiting.popleft()
        return None

    def peek(self) -> str:
        """The next line."""
        return (self.waiting[0][1] or b"").decode(errors="replace")

    def start(self) -> None:
        """A new row begins with the next line."""
        self.taken.clear()
        self._size = 0

    def recover(self) -> None:
        """Give back all lines of the row but its first."""
        self.waiting.extendleft(reversed(self.taken[1:]))

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._size > MAX_LINE_BYTES or len(self.taken) >= _MAX_ROW_LINES or not self._fill():
            raise StopIteration
        self.taken.append(self.waiting.popleft())
        line = self.taken[-1][1]
        if line is None:
            raise OverflowError
        self._size += len(line)
        return line.decode() + "\n"

    def _fill(self) -> bool:
        if not self.waiting:
            self.waiting.extend([one] if (one := next(self.source, None)) else [])
        return bool(self.waiting)
