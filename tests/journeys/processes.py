"""Running the command line as its users do: to the end, or in the background until the test is done with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
#: Seconds that a command may take; the first index trains for about 20 of them on an idle machine.
PATIENCE = 240.0


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process of ours sees: nothing of the test's own environment but the path to programs."""
    given = dict(more or {})
    shim = given.pop("PYTHONPATH", "")
    found = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "OMP_NUM_THREADS": "2"}
    return {**found, "PYTHONPATH": os.pathsep.join(filter(None, [shim, str(ROOT)])), **given}


def command(*arguments: str) -> list[str]:
    """The command line's words."""
    return [sys.executable, "-m", "sidetower", *arguments]


def run(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``sidetower ...`` in this folder to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def until(happened: Callable[[], bool], what: str, seconds: float = 150.0) -> None:
    """Wait until it happened.

    Raises:
        AssertionError: it did not within these seconds.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


class Background:
    """``sidetower ...`` in a process group of its own, to use in a ``with``; the end of the block kills the group.

    Args:
        folder: where it runs, and where its output is kept.
        arguments: of the command line.
        environ: beside `environment`.
    """

    def __init__(self, folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command(*arguments),
                cwd=folder,
                env=environment(environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"{self._log.name}:\n{self.told()[-4_000:]}")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def told(self) -> str:
        """All that it printed so far."""
        return self._log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, as a terminal's Ctrl-C or a service supervisor does."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 150.0) -> int:
        """Its exit status."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """Kill -9 the process and all that it forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
