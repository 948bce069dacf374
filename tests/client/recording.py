"""A connection of opensearch-py that keeps what it sends."""

from __future__ import annotations

from typing import Any

from opensearchpy import Urllib3HttpConnection


class RecordingConnection(Urllib3HttpConnection):  # type: ignore[misc]  # opensearch-py is not followed
    """Sends as the one it is made of; `sent` holds method, path and query, body and headers of each request."""

    sent: list[tuple[Any, ...]]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent = []

    def perform_request(self, method: str, url: str, params: Any = None, body: Any = None, **more: Any) -> Any:
        """As opensearch-py."""
        self.sent.append((method, url, params, body, more))
        return super().perform_request(method, url, params, body, **more)


def sent_by(client: Any) -> list[tuple[Any, ...]]:
    """What a client over one such connection has sent, and forget it."""
    connection = client.transport.connection_pool.connections[0]
    sent, connection.sent = connection.sent, []
    return sent  # type: ignore[no-any-return]
