"""The host's own OpenSearch as the gateway talks to it: bytes there, bytes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx

from domain.errors import SidetowerError, Unavailable

#: Requests at the same time; more wait.
CONNECTIONS: Final = 128
#: Seconds to a connection; as many to a free one.
CONNECT_SECONDS: Final = 5.0
#: Seconds without a byte from the cluster, whatever it works at: scrolls, reindexing, merges.
SILENCE_SECONDS: Final = 300.0


class HostAnswer:
    """An answer whose body is still under way.

    Args:
        answer: as httpx has it.
        address: of the cluster, for errors.
    """

    def __init__(self, answer: httpx.Response, address: str) -> None:
        self._answer = answer
        self._address = address
        self.status = answer.status_code
        self.headers = [(name.lower(), value) for name, value in answer.headers.raw]

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, not decoded.

        Raises:
            Unavailable: it broke off.
        """
        assert isinstance(self._answer.stream, httpx.AsyncByteStream)  # noqa: S101 - an asynchronous transport's
        try:
            async for piece in self._answer.stream:
                yield piece
        except httpx.TransportError as error:
            raise _unavailable(error, self._address) from error


class HostCluster:
    """Sends what a caller sent, over connections that are kept (the gateway's port `Cluster`).

    It follows no redirect, keeps no cookie, reads no proxy and no `.netrc`: whoever is asked is asked as the caller.

    Args:
        address: ``http://`` or ``https://``, perhaps with a path; certificates are always checked.
        silence: seconds without a byte after which an answer is given up.
    """

    def __init__(self, address: str, silence: float = SILENCE_SECONDS) -> None:
        self._address = address
        self._url = httpx.URL(address)
        self._prefix = self._url.raw_path.rstrip(b"/")
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._transport = httpx.AsyncHTTPTransport(limits=limits)
        self._seconds = {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS, "read": silence, "write": silence}

    @asynccontextmanager
    async def send(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[HostAnswer]:
        """The answer to one request; leaving the context hangs up on what was not read.

        Args:
            method: of HTTP.
            target: path and query as they travel, the path from the cluster's root.
            headers: all but `host`.
            body: whole, or in pieces.

        Raises:
            Unavailable: no connection, or no answer in time. Nothing is tried twice.
        """
        extensions = {"target": self._prefix + target, "timeout": self._seconds}
        request = httpx.Request(method, self._url, headers=list(headers), content=body, extensions=extensions)
        try:
            answer = await self._transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise _unavailable(error, self._address) from error
        try:
            yield HostAnswer(answer, self._address)
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Hang up."""
        await self._transport.aclose()


def _unavailable(error: httpx.TransportError, address: str) -> SidetowerError:
    return Unavailable(
        f"cluster at {address}",
        expected="an answer",
        got=f"{type(error).__name__}: {error}"[:300],
        fix="Check that the host's OpenSearch runs at [gateway] opensearch, then repeat.",
    )
