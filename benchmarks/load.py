"""Load over HTTP/1.1: as much as a server takes, and at a steady rate, timed from when each request was due."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measured:
    """What came of a run."""

    #: Requests answered a second.
    rate: float
    #: Seconds of each.
    seconds: tuple[float, ...]
    #: Answers whose status was not 200.
    wrong: int

    def milliseconds(self, share: float) -> float:
        """The quantile, in milliseconds."""
        return round(1000 * float(np.quantile(self.seconds, share)), 2)


def request_bytes(path: str, body: bytes = b"", tenant: str = "") -> bytes:
    """One request on a connection that stays open."""
    method = "POST" if body else "GET"
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"X-Sidetower-Tenant: {tenant or 'none'}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saturated(port: int, requests: Sequence[bytes], seconds: float, connections: int = 8) -> Measured:
    """Every connection asks again as soon as it is answered."""
    return asyncio.run(_run(port, itertools.cycle(requests), seconds, connections, 0.0))


def paced(port: int, requests: Sequence[bytes], seconds: float, rate: float, connections: int = 32) -> Measured:
    """So many requests a second, whatever the server does: a late answer makes those behind it late too."""
    return asyncio.run(_run(port, itertools.cycle(requests), seconds, connections, rate))


async def _run(port: int, requests: Iterator[bytes], seconds: float, connections: int, rate: float) -> Measured:
    began = time.perf_counter() + 0.05
    taken: list[float] = []
    wrong = 0
    turn = itertools.count()

    async def one() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (due := began + next(turn) / rate if rate else time.perf_counter()) < began + seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            writer.write(next(requests))
            wrong += await _status(reader) != b"200"
            taken.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return Measured(len(taken) / (time.perf_counter() - began), tuple(taken), wrong)


async def _status(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return head[9:12]
