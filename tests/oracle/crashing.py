"""Crash points: every I/O call of a process passes its gate, where it is held, cut off or ended.

The processes of a run take turns: one call at a time, whoever is told to. So a run is an interleaving at the level of
I/O calls, the same one for the same decisions, though every process has a thread of its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from domain.errors import Unavailable

Port = TypeVar("Port")

#: Seconds until a process that neither comes to a call nor ends counts as stuck.
_STUCK: Final = 60.0
#: Threads of all processes of this Python process, kept from run to run.
_THREADS: Final = ThreadPoolExecutor(max_workers=16, thread_name_prefix="process")


class Crash(BaseException):
    """This process has been killed: nothing that it still does reaches anybody."""


class Where(StrEnum):
    """What the call it happens at has done."""

    BEFORE = "before"
    AFTER = "after"
    #: The first half of the items of the call are done.
    HALF = "half done"


class Trouble(StrEnum):
    """What happens."""

    #: kill -9: the process is gone, with all it had in memory.
    KILLED = "killed"
    #: The answer does not come in time; the process lives on.
    AWAY = "away"


@dataclass(frozen=True)
class Blow:
    """Something that happens to a process at a call."""

    trouble: Trouble
    where: Where


@dataclass
class Tally:
    """What the runs of one series have come through."""

    runs: int = 0
    #: Digests of what happened in each run, so that no two equal ones count.
    interleavings: set[bytes] = field(default_factory=set)
    #: Operations by name, and how many of them were started while another one was in the middle of its calls.
    operations: Counter[str] = field(default_factory=Counter)
    overlapping: int = 0
    #: I/O calls by ``operation: port.method``, and what happened to them by call, trouble and place.
    calls: Counter[str] = field(default_factory=Counter)
    blows: Counter[tuple[str, Blow]] = field(default_factory=Counter)
    #: Whatever else is worth a figure.
    events: Counter[str] = field(default_factory=Counter)

    def close_run(self, history: Sequence[str]) -> None:
        """A run has come to its end: everything that happened in it, in order."""
        self.interleavings.add(hashlib.sha256("\n".join(history).encode()).digest()[:12])

    def of(self, trouble: Trouble) -> Counter[str]:
        """How often this happened, by call."""
        found: Counter[str] = Counter()
        for (place, blow), count in self.blows.items():
            if blow.trouble is trouble:
                found[place] += count
        return found

    def spared(self) -> list[str]:
        """Calls that were made but never the last of their process."""
        killed = self.of(Trouble.KILLED)
        return sorted(place for place in self.calls if place not in killed)


class Gate:
    """Lets the operation of a process through, call by call.

    Args:
        tally: counts.
        history: takes a line for each call, for the report of a violation.
        name: of the process.
    """

    def __init__(self, tally: Tally, history: list[str], name: str) -> None:
        self.dead = False
        self.idle = True
        self.operation = ""
        self.result: Any = None
        self.error: BaseException | None = None
        #: The call that the operation is held at.
        self.at = ""
        self._tally = tally
        self._history = history
        self._name = name
        self._blow: Blow | None = None
        self._turn = threading.Lock()
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)

    def start(self, operation: str, work: Callable[[], object]) -> None:
        """Begin an operation; it is held at its first call."""
        self.operation, self.idle, self.result, self.error = operation, False, None, None
        self._tally.operations[operation] += 1
        _THREADS.submit(self._run, work)
        self._await()

    def step(self, blow: Blow | None = None) -> None:
        """Let the operation make the call it is held at, and go on to the next or to its end."""
        place = f"{self.operation}: {self.at}"
        self._tally.calls[place] += 1
        if blow is not None:
            self._tally.blows[place, blow] += 1
        told = f" ({blow.trouble}, {blow.where})" if blow else ""
        self._history.append(f"{self._name} {place}{told}")
        self._blow = blow
        self._go.release()
        self._await()

    def end(self) -> None:
        """Kill the process where it is held."""
        self.dead = True
        if not self.idle:
            self._go.release()
            self._await()

    def call(self, place: str, make: Callable[[], Any], half: Callable[[], object]) -> Any:
        """In a thread of the operation, one at a time: what the call answers, once it is let through."""
        with self._turn:
            return self._call(place, make, half)

    def _call(self, place: str, make: Callable[[], Any], half: Callable[[], object]) -> Any:
        if self.dead:
            raise Crash
        self.at = place
        self._back.release()
        self._go.acquire()
        if self.dead:
            raise Crash
        blow = self._blow
        if blow is None:
            return make()
        if blow.where is Where.AFTER:
            make()
        elif blow.where is Where.HALF:
            half()
        if blow.trouble is Trouble.KILLED:
            self.dead = True
            raise Crash
        raise Unavailable(place, expected="an answer", got="silence", fix="Try again.")

    def _run(self, work: Callable[[], object]) -> None:
        try:
            self.result = work()
        except BaseException as error:  # whatever it is, the run decides what to make of it
            self.error = error
        finally:
            self.idle = True
            self._back.release()

    def _await(self) -> None:
        if not self._back.acquire(timeout=_STUCK):
            raise AssertionError(f"{self._name} {self.operation} is stuck after {self.at}")


class _Gated:
    """Passes every call on to a port's answer, through the gate."""

    def __init__(self, inner: Callable[[], Any], name: str, gate: Gate) -> None:
        self._inner = inner
        self._name = name
        self._gate = gate

    def __getattr__(self, method: str) -> Any:
        def through(*args: Any, **kwargs: Any) -> Any:
            def make() -> Any:
                return getattr(self._inner(), method)(*args, **kwargs)

            def half() -> None:
                if any(_divisible(one) for one in args):
                    getattr(self._inner(), method)(*map(_first_half, args), **kwargs)

            return self._gate.call(f"{self._name}.{method}", make, half)

        return through


def gated(inner: Callable[[], Port], name: str, gate: Gate) -> Port:
    """The port's answer behind the gate; asked for anew at each call, as a server behind its address is."""
    return cast(Port, _Gated(inner, name, gate))


def _divisible(argument: object) -> bool:
    return isinstance(argument, Sequence) and not isinstance(argument, str) and len(argument) > 1


def _first_half(argument: Any) -> Any:
    return argument[: len(argument) // 2] if _divisible(argument) else argument
