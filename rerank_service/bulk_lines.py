"""Lines of a stream, numbered, none longer than a limit, in batches of bounded size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

#: A longer line is told as invalid, and dropped while it arrives.
MAX_LINE_BYTES: Final = 1_048_576
#: A batch is full with so many lines or bytes, whichever comes first.
BATCH_LINES: Final = 500
BATCH_BYTES: Final = 1_048_576
#: A batch that is not full waits this long for more lines.
WAIT_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    #: From 1; blank lines count.
    number: int
    #: Without its end; None when it was too long.
    raw: bytes | None


class LineReader:
    """Cuts a stream into lines; holds at most one open line.

    Args:
        limit: bytes of a line.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._open = bytearray()
        self._too_long = False
        self._number = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk ends; blank ones are left out."""
        *ends, rest = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._take(end)
            lines += self._close()
        self._take(rest)
        return lines

    def end(self) -> list[Line]:
        """The last line, when the stream ends without a line end."""
        return self._close() if self._open or self._too_long else []

    def _take(self, part: bytes) -> None:
        if self._too_long or len(self._open) + len(part) > self._limit:
            self._too_long = True
            self._open.clear()
        else:
            self._open += part

    def _close(self) -> list[Line]:
        self._number += 1
        line = Line(self._number, None if self._too_long else bytes(self._open))
        self._open.clear()
        self._too_long = False
        return [] if line.raw is not None and not line.raw.strip() else [line]


class _Batch:
    """Lines that go on together."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._bytes = 0
        self._begun = 0.0

    @property
    def full(self) -> bool:
        return len(self.lines) >= BATCH_LINES or self._bytes >= BATCH_BYTES

    def add(self, line: Line) -> None:
        if not self.lines:
            self._begun = time.monotonic()
        self.lines.append(line)
        self._bytes += len(line.raw or b"")

    def patience(self, seconds: float) -> float | None:
        """Seconds that it may still wait; None for ever."""
        return max(0.0, self._begun + seconds - time.monotonic()) if self.lines else None

    def take(self) -> list[Line]:
        lines, self.lines, self._bytes = self.lines, [], 0
        return lines


async def batches(chunks: AsyncIterator[bytes], wait: float = WAIT_SECONDS) -> AsyncIterator[list[Line]]:
    """The lines of a stream in batches, a batch as soon as it is full or has waited.

    Nothing more is read while a batch is being worked on. When the stream breaks off, its error comes out here and
    what has not been handed on is dropped, a line without its end above all: half a line could read as a whole one.

    Args:
        chunks: the stream.
        wait: seconds that a batch which is not full waits for more.
    """
    reader, batch = LineReader(), _Batch()
    coming = asyncio.ensure_future(_next(chunks))
    try:
        chunk: bytes | None = b""
        while chunk is not None:
            done, _ = await asyncio.wait({coming}, timeout=batch.patience(wait))
            if not done:
                yield batch.take()
                continue
            chunk = coming.result()
            for line in reader.end() if chunk is None else reader.feed(chunk):
                batch.add(line)
                if batch.full:
                    yield batch.take()
            if chunk is not None:
                coming = asyncio.ensure_future(_next(chunks))
        if batch.lines:
            yield batch.take()
    finally:
        coming.cancel()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
