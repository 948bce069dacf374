"""The small world as a real process behind a socket."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Served:
    """A service process."""

    #: Where it listens, on loopback.
    address: str
    pid: int

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])


@contextmanager
def served_world(folder: Path, root: str = "tests.service.rerank.served_world:serve") -> Iterator[Served]:
    """The service that `root` makes over a filled world in this folder; ends with an orderly shutdown."""
    command = [sys.executable, "-m", "uvicorn", "--factory", root]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0", "--no-access-log"],
        env=os.environ | {"SIDETOWER_TEST_FOLDER": str(folder), "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[3],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        pytest.fail(f"the service did not start: {told}")
    yield Served(found.group(1), process.pid)
    process.terminate()
    with process.stderr:
        rest = process.stderr.read()
    # After its orderly shutdown uvicorn ends by the signal it was sent.
    assert process.wait(20) == -signal.SIGTERM
    assert "Traceback" not in rest, rest
