"""An application behind a socket of its own, in a thread of this process, for the length of a ``with`` block."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class _Announced(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextlib.contextmanager
def served_app(app: ASGIApp) -> Iterator[str]:
    """Address of the application; leaving the block shuts it down in order."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Announced(uvicorn.Config(app, log_config=None, ws="none", access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        assert server.up.wait(60)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
