"""The port to the host's cluster: requests as bytes, answers as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

#: Names and values as they travel, names in lower case.
Headers = Sequence[tuple[bytes, bytes]]


class ClusterAnswer(Protocol):
    """An answer whose body is still under way."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Headers:
        """As the cluster sent them."""

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, not decoded.

        Raises:
            Unavailable: it broke off.
        """


class Cluster(Protocol):
    """Sends what a caller sent; nothing of ours is added, least of all credentials."""

    def send(
        self, method: str, target: bytes, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> AbstractAsyncContextManager[ClusterAnswer]:
        """The answer to one request; leaving the context hangs up on what was not read.

        Args:
            method: of HTTP.
            target: path and query as they travel, the path from the cluster's root.
            headers: all but `host`.
            body: whole, or in pieces.

        Raises:
            Unavailable: no connection, or no answer in time. Nothing is tried twice.
        """

    async def close(self) -> None:
        """Hang up."""
