"""The outbox: what has been written for a reader that may be slow, in a file instead of in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Final

PIECE_BYTES: Final = 65_536


class Outbox:
    """First in, first out; one writer and one reader on one event loop.

    Args:
        file: empty, readable and writable.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = 0
        self._read = 0
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, content: bytes) -> None:
        """Add this; never waits for the reader."""
        self._file.seek(self._written)
        self._file.write(content)
        self._written += len(content)
        self._changed.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._changed.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything that is put, as it comes, until the end."""
        while True:
            if self._read < self._written:
                yield self._next()
            elif self._ended:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def _next(self) -> bytes:
        self._file.seek(self._read)
        piece = self._file.read(PIECE_BYTES)
        self._read += len(piece)
        if self._read == self._written:
            # All of it is fetched: the file begins anew instead of growing.
            self._file.seek(0)
            self._file.truncate()
            self._read = self._written = 0
        return piece
