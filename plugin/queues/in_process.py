"""A work queue inside one process, for the embedded engine and for tests."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from domain.work import Attempt, Claim, ClaimedTask, Depth, Lane, Task, WorkKey
from plugin.queues.bound import DEFAULT_BOUND, full

#: Due time of what a lost claim leaves behind: before everything else.
_FIRST = -math.inf


class InProcessQueue:
    """A `domain.ports.WorkQueue` in memory; safe for threads, gone with the process.

    The rules, the same as in Redis:

    - A work key is in one place only: waiting, in a returned group, or in flight. While it is in flight nobody
      else can claim it; a newer revision waits behind the claim and is due once the claim has let go of the key.
    - A newer revision forgets the attempts of the older one, leaves its group and waits like any other task,
      due at the earlier of the two times.
    - A claim holds until a later `claim` finds its lease over; until then `done`, `give_back` and `extend` count.
    - What is due goes first by due time, then by work key. A returned group is claimed by itself, never mixed; one
      that is larger than the limit is claimed in pieces.

    Args:
        bound: most waiting tasks in one lane.
        clock: seconds, never falling.
    """

    def __init__(self, bound: int = DEFAULT_BOUND, clock: Callable[[], float] = time.time) -> None:
        self._bound = bound
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes = {lane: _LaneState() for lane in Lane}

    def add(self, tasks: Sequence[Task], lane: Lane = Lane.LIVE, delay: float = 0.0) -> int:
        """Queue these, as `WorkQueue.add` says."""
        newest: dict[WorkKey, int] = {}
        for task in tasks:
            newest[task.work] = max(task.revision, newest.get(task.work, task.revision))
        with self._lock:
            state, now = self._lanes[lane], self._clock()
            fresh = len(newest.keys() - state.records.keys())
            if fresh and len(state.records) - state.flying(now) + fresh > self._bound:
                raise full(lane, self._bound)
            return sum(state.add(work, revision, now, now + delay) for work, revision in newest.items())

    def claim(self, lane: Lane, limit: int, lease: float) -> Claim | None:
        """Take up to `limit` tasks, as `WorkQueue.claim` says."""
        with self._lock:
            state, now = self._lanes[lane], self._clock()
            state.return_lost(now)
            return state.claim(limit, now, now + lease)

    def done(self, claim: Claim, tasks: Sequence[Task]) -> None:
        """Finish these, as `WorkQueue.done` says."""
        with self._lock:
            for state in self._lanes.values():
                state.done(claim.id, tasks)

    def give_back(self, claim: Claim, tasks: Sequence[Task], attempt: Attempt, delay: float = 0.0) -> None:
        """Return these, as `WorkQueue.give_back` says."""
        with self._lock:
            now = self._clock()
            for state in self._lanes.values():
                state.give_back(claim.id, [task.work for task in tasks], attempt, now, now + delay)

    def extend(self, claim: Claim, lease: float) -> bool:
        """Hold on for `lease` seconds from now, as `WorkQueue.extend` says."""
        with self._lock:
            held = [state.flights[claim.id] for state in self._lanes.values() if claim.id in state.flights]
            for flight in held:
                flight.deadline = self._clock() + lease
            return bool(held)

    def depth(self, lane: Lane) -> Depth:
        """How much there is; a task whose lease is over counts as waiting."""
        with self._lock:
            state, now = self._lanes[lane], self._clock()
            flying = state.flying(now)
            return Depth(len(state.records) - flying, flying, state.oldest_age(now))


@dataclass(slots=True)
class _Record:
    """What is known of one task; in flight, no attempts mean that a newer revision waits behind the claim."""

    revision: int
    due: float
    added: float
    attempts: int = 0
    alone: int = 0
    #: Group or claim that holds it; "" = waiting.
    batch: str = ""


@dataclass(slots=True)
class _Flight:
    deadline: float
    works: list[WorkKey]
    #: Taken from a returned group, and whether as its only task.
    returned: bool
    alone: bool


@dataclass(slots=True)
class _LaneState:
    records: dict[WorkKey, _Record] = field(default_factory=dict)
    groups: dict[str, list[WorkKey]] = field(default_factory=dict)
    flights: dict[str, _Flight] = field(default_factory=dict)
    #: Heaps; entries that no longer agree with their record or group are passed over.
    waiting: list[tuple[float, WorkKey]] = field(default_factory=list)
    due_groups: list[tuple[float, str]] = field(default_factory=list)
    ages: list[tuple[float, WorkKey]] = field(default_factory=list)
    #: Numbers the groups, so that equally due ones go in the order in which they were made.
    sequence: Iterator[int] = field(default_factory=itertools.count)

    def add(self, work: WorkKey, revision: int, now: float, due: float) -> bool:
        record = self.records.get(work)
        if record is None:
            record = self.records[work] = _Record(revision, due, now)
            heapq.heappush(self.ages, (now, work))
            self._wait(work, record, due)
            return True
        if revision <= record.revision:
            return False
        flying, behind = record.batch in self.flights, record.attempts == 0
        newly = flying and not behind
        record.revision, record.attempts, record.alone = revision, 0, 0
        record.due = due if newly else min(record.due, due)
        if newly:
            record.added = now
            heapq.heappush(self.ages, (now, work))
        if not flying:
            self._leave_group(work, record.batch)
            self._wait(work, record, record.due)
        return newly

    def return_lost(self, now: float) -> None:
        """Take the tasks of every lease that is over back, in halves, before everything else."""
        lost = sorted((flight.deadline, id_) for id_, flight in self.flights.items() if flight.deadline <= now)
        for _, id_ in lost:
            left = []
            for work in self.flights.pop(id_).works:
                record = self.records[work]
                if record.attempts == 0:
                    self._wait(work, record, record.due)
                else:
                    left.append(work)
            half = math.ceil(len(left) / 2)
            self._group(left[:half], _FIRST)
            self._group(left[half:], _FIRST)

    def claim(self, limit: int, now: float, deadline: float) -> Claim | None:
        works = self._take_group(limit, now)
        returned = bool(works)
        works = works or self._take_waiting(limit, now)
        if not works:
            return None
        flight = _Flight(deadline, works, returned, alone=returned and len(works) == 1)
        id_ = uuid.uuid4().hex
        self.flights[id_] = flight
        return Claim(id_, tuple(self._claimed(work, id_, flight.alone) for work in works))

    def done(self, id_: str, tasks: Sequence[Task]) -> None:
        for task in tasks:
            record = self._release(id_, task.work)
            if record is None:
                continue
            if task.revision >= record.revision:
                del self.records[task.work]
            else:
                self._wait(task.work, record, record.due)

    def give_back(self, id_: str, works: Iterable[WorkKey], attempt: Attempt, now: float, due: float) -> None:
        flight = self.flights.get(id_)
        together = []
        for work in works:
            record = self._release(id_, work)
            if flight is None or record is None:
                continue
            if record.attempts == 0:
                self._wait(work, record, max(record.due, due) if due > now else record.due)
                continue
            if attempt is Attempt.COUNTED:
                record.due = due
                self._group([work], due)
                continue
            record.attempts -= 1
            record.alone -= flight.alone
            if due > now:
                record.due = due
            if flight.returned:
                together.append(work)
            else:
                self._wait(work, record, record.due)
        self._group(together, due if due > now else _FIRST)

    def flying(self, now: float) -> int:
        """How many tasks are under a lease that still runs."""
        return sum(len(flight.works) for flight in self.flights.values() if flight.deadline > now)

    def oldest_age(self, now: float) -> float:
        while self.ages:
            added, work = self.ages[0]
            record = self.records.get(work)
            if record is not None and record.added == added:
                return now - added
            heapq.heappop(self.ages)
        return 0.0

    def _claimed(self, work: WorkKey, id_: str, alone: bool) -> ClaimedTask:
        record = self.records[work]
        record.batch = id_
        record.attempts += 1
        record.alone += alone
        return ClaimedTask(Task(work, record.revision), record.attempts, record.alone)

    def _release(self, id_: str, work: WorkKey) -> _Record | None:
        """The record of a task that this claim still holds and now lets go."""
        record = self.records.get(work)
        if record is None or record.batch != id_:
            return None
        flight = self.flights[id_]
        flight.works.remove(work)
        if not flight.works:
            del self.flights[id_]
        record.batch = ""
        return record

    def _wait(self, work: WorkKey, record: _Record, due: float) -> None:
        record.batch, record.due = "", due
        heapq.heappush(self.waiting, (due, work))

    def _group(self, works: list[WorkKey], due: float) -> None:
        if works:
            id_ = f"{next(self.sequence):016d}"
            self.groups[id_] = works
            heapq.heappush(self.due_groups, (due, id_))
            for work in works:
                self.records[work].batch = id_

    def _leave_group(self, work: WorkKey, id_: str) -> None:
        if id_:
            self.groups[id_].remove(work)
            if not self.groups[id_]:
                del self.groups[id_]

    def _first_waiting(self) -> float | None:
        while self.waiting:
            due, work = self.waiting[0]
            record = self.records.get(work)
            if record is not None and not record.batch and record.due == due:
                return due
            heapq.heappop(self.waiting)
        return None

    def _take_group(self, limit: int, now: float) -> list[WorkKey]:
        """The first group that is due, unless an ordinary task is due before it."""
        while self.due_groups and self.due_groups[0][1] not in self.groups:
            heapq.heappop(self.due_groups)
        first = self._first_waiting()
        if not self.due_groups or self.due_groups[0][0] > (now if first is None else min(now, first)):
            return []
        due, id_ = heapq.heappop(self.due_groups)
        works = self.groups.pop(id_)
        self._group(works[limit:], due)
        return works[:limit]

    def _take_waiting(self, limit: int, now: float) -> list[WorkKey]:
        works: dict[WorkKey, None] = {}
        while len(works) < limit:
            due = self._first_waiting()
            if due is None or due > now:
                break
            works[heapq.heappop(self.waiting)[1]] = None
        return list(works)
