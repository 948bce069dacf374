"""Servers that a client may meet where it expects the service: each fails in one way."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.loopback import QuietHandler, serving

#: The answer to a request's decoded body: status and content.
Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Address of a server that answers every request so."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 (the name of http.server)
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content = answer({**asked, "tenant": self.headers["X-Sidetower-Tenant"]})
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Handler) as address:
        yield address


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Address of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def nobody() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def trickling() -> Iterator[str]:
    """Address of a server that answers a byte now and then, without end."""
    over = threading.Event()

    def feed(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not over.wait(0.05):
                connection.sendall(b" ")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=feed, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
