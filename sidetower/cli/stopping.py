"""Ctrl-C and a supervisor's termination signal, for commands that finish what they have in hand."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Stop(threading.Event):
    """Is set by the first signal to end; the second one ends the process as it would any other."""

    def __init__(self) -> None:
        super().__init__()
        #: Exit status of a command that ends before its end.
        self.exit_code = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)

    def _told(self, number: int, _: FrameType | None) -> None:
        self.exit_code = 128 + number
        self.set()
        signal.signal(number, signal.SIG_DFL)
