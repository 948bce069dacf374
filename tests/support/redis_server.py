"""A real redis-server on loopback for the length of a test run."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 10.0


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Address of a fresh Redis (noeviction, nothing kept on disk) that ends with the block.

    Args:
        folder: where it may write its log.

    Raises:
        RuntimeError: it does not answer PING within ten seconds; its log is in the message.
    """
    port = _free_port()
    log = folder / f"redis-{port}.log"
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "logfile": str(log),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        _await_pong(process, port, log)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await_pong(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    told = log.read_text() if log.exists() else "no log"
    raise RuntimeError(f"redis-server did not answer on port {port}:\n{told}")
