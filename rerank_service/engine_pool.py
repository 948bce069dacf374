"""The engine pool: a bounded number of threads for blocking calls, and a bounded number of requests waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, Final, TypeVar

from domain.errors import Busy, Unavailable

THREADS: Final = 16
#: Requests running and waiting; one more is told to come back.
MAX_INSIDE: Final = 256
#: Nobody waits longer than this, whatever the engine's own time-outs are.
PATIENCE_SECONDS: Final = 15.0

T = TypeVar("T")


class EnginePool:
    """Runs blocking calls beside the event loop."""

    def __init__(self, max_inside: int = MAX_INSIDE, patience: float = PATIENCE_SECONDS) -> None:
        self._max_inside = max_inside
        self._patience = patience
        self._inside = 0
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="engine")

    async def within(self, seconds: float, call: Callable[[], T]) -> T:
        """What the call returns or raises.

        Raises:
            Busy: too many requests are waiting already.
            TimeoutError: it did not come back in so many seconds; what it does is not undone.
        """
        self._enter()
        future = self._threads.submit(call)
        # A call that nobody waits for any more still holds its thread until it returns.
        future.add_done_callback(self._leave)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises.

        Raises:
            Busy: too many requests are waiting already.
            Unavailable: it did not come back in time; what it does is not undone.
        """
        try:
            return await self.within(self._patience, call)
        except TimeoutError as error:
            raise Unavailable(
                "search engine",
                expected=f"an answer within {self._patience:g} s",
                got="none",
                fix="Look at the engine's health, then repeat.",
            ) from error

    def close(self) -> None:
        """Take no more calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _enter(self) -> None:
        with self._lock:
            if self._inside >= self._max_inside:
                raise Busy(
                    "service",
                    expected=f"at most {self._max_inside} requests at once",
                    got=f"{self._inside}",
                    fix="Wait a second, then repeat; or start another service process.",
                )
            self._inside += 1

    def _leave(self, _done: Future[Any]) -> None:
        with self._lock:
            self._inside -= 1
