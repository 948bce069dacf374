"""A claim under work: nobody's tasks are forgotten, whatever happens to whoever holds it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from domain.errors import Unavailable
from domain.ports import WorkQueue
from domain.work import Attempt, Claim, ClaimedTask, Task

log = logging.getLogger(__name__)

#: Seconds a claim is held from its last extension; above the longest step between two of them.
LEASE: Final = 120.0
#: Seconds that work rests after a failure, or after a server asked for less.
PAUSE: Final = 2.0


class HeldClaim:
    """The tasks of a claim that nothing has become of yet, to use in a ``with``.

    However the block ends, what is still open then goes back as if it had never been claimed: at once, or after
    `PAUSE` when the block was left by an error. Only a process that is killed, or a queue that does not answer,
    leaves it to the end of the lease.

    Args:
        queue: where the claim is from.
        claim: just claimed.
    """

    def __init__(self, queue: WorkQueue, claim: Claim) -> None:
        self._queue = queue
        self._claim = claim
        self._open = {one.task.work: one for one in claim.tasks}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.give_back(self.open(), Attempt.FORGIVEN, 0.0 if kind is None else PAUSE)
        except Unavailable as away:
            log.warning("%d claimed items come back when their lease ends: %s", len(self._open), away)

    def open(self, among: Sequence[ClaimedTask] | None = None) -> list[ClaimedTask]:
        """The tasks that nothing has become of, all or those among these."""
        return [one for one in (self._claim.tasks if among is None else among) if one.task.work in self._open]

    def done(self, tasks: Sequence[Task]) -> None:
        """These are finished up to their revision.

        Raises:
            Unavailable: the queue does not answer; they are still open.
        """
        if tasks:
            self._queue.done(self._claim, tasks)
            self._close(tasks)

    def give_back(self, share: Sequence[ClaimedTask], attempt: Attempt, delay: float) -> None:
        """These come back after `delay` seconds.

        Raises:
            Unavailable: the queue does not answer; they are still open.
        """
        if share:
            tasks = [one.task for one in share]
            self._queue.give_back(self._claim, tasks, attempt, delay)
            self._close(tasks)

    def extend(self) -> bool:
        """Whether the claim is still ours, and then for another lease; else nothing is open any more.

        Raises:
            Unavailable: the queue does not answer.
        """
        if not self._queue.extend(self._claim, LEASE):
            log.warning("%d claimed items went to somebody else: their lease was over", len(self._open))
            self._open.clear()
        return bool(self._open)

    def _close(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._open.pop(task.work, None)
