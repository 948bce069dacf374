"""Lines of a text file, plain or gzip, each of bounded length."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from plugin.files.source import FileSource

#: A longer line is told and skipped, never held in memory.
MAX_LINE_BYTES: Final = 16 * 1024 * 1024

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
#: First bytes of files that are no lines of UTF-8, and what they are.
_FOREIGN = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_MARK = b"\xef\xbb\xbf"


def numbered_lines(source: FileSource) -> Iterator[tuple[int, bytes | None]]:
    """Every line with its number from 1, without its end; None stands for a line longer than `MAX_LINE_BYTES`.

    Raises:
        SourceError: the file holds no lines of text, or its compressed data is damaged at some point.
    """
    number = 0
    try:
        with _opened(source) as stream:
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                whole = line.endswith(b"\n") or len(line) <= MAX_LINE_BYTES
                if not whole:
                    _skip_line(stream)
                start = len(_MARK) if number == 1 and line.startswith(_MARK) else 0
                yield number, line[start:].rstrip(b"\r\n") if whole else None
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        at = f"after line {number}" if number else ""
        fix = "Copy or compress the file again; what stands before was read."
        raise source.failure("a whole file", str(error) or "damaged data", fix, at) from None


def line_count(source: FileSource) -> int | None:
    """How many lines there are, blank ones included; None for a compressed file, which would have to be unpacked."""
    with source.path.open("rb") as stream:
        if is_gzip(source):
            return None
        count, last = 0, b"\n"
        while chunk := stream.read(_CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def is_gzip(source: FileSource) -> bool:
    """Whether the file is compressed, whatever its name says."""
    with source.path.open("rb") as stream:
        return stream.read(len(_GZIP)) == _GZIP


def _opened(source: FileSource) -> BinaryIO:
    stream = cast(BinaryIO, gzip.open(source.path)) if is_gzip(source) else source.path.open("rb")  # noqa: SIM115
    try:
        start = stream.read(4)
        stream.seek(0)
        foreign = next((name for mark, name in _FOREIGN.items() if start.startswith(mark)), "")
        if foreign:
            raise source.failure("lines of text in UTF-8", foreign, "Export it as UTF-8, or give it its true suffix.")
    except BaseException:
        stream.close()
        raise
    return stream


def _skip_line(stream: BinaryIO) -> None:
    while rest := stream.readline(_CHUNK):
        if rest.endswith(b"\n"):
            return
