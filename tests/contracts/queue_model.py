"""A slow, plain account of the work queue's rules, and random calls that hold a real queue to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from domain.errors import Busy
from domain.ports import WorkQueue
from domain.work import Attempt, Claim, Lane, Task, WorkKey
from tests.contracts.queue_tasks import LONG, task

_BOUND = 6
#: Steps of the model's time that are never over within a run, as LONG is for the real queue.
_NEVER = 10**9


@dataclass
class Entry:
    """One task and where it is: a group's or a claim's number, or None for waiting."""

    task: Task
    due: float
    attempts: int = 0
    alone: int = 0
    place: int | None = None
    renewed: bool = False


@dataclass
class Batch:
    """A returned group (`due`) or a claim (`deadline`), with its works in order."""

    works: list[WorkKey]
    due: float | None = None
    deadline: float | None = None
    returned: bool = False
    alone: bool = False


@dataclass
class Model:
    """One lane; every call is one step of time, and delays and leases are no time or for ever."""

    now: int = 0
    entries: dict[WorkKey, Entry] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    made: int = 0

    def add(self, told: list[Task], *, never: bool) -> int | None:
        """How many are newly queued; None = refused."""
        fresh = {one.work for one in told} - self.entries.keys()
        if fresh and self.waiting() + len(fresh) > _BOUND:
            return None
        queued = 0
        due = self.now + _NEVER * never
        for work in {one.work for one in told}:
            newest = max((one for one in told if one.work == work), key=lambda one: one.revision)
            queued += self._add(newest, due)
        return queued

    def _add(self, newest: Task, due: float) -> int:
        entry = self.entries.get(newest.work)
        if entry is None:
            self.entries[newest.work] = Entry(newest, due)
            return 1
        if newest.revision <= entry.task.revision:
            return 0
        flying = entry.place is not None and self.batches[entry.place].deadline is not None
        first_behind = flying and not entry.renewed
        entry.task, entry.attempts, entry.alone = newest, 0, 0
        entry.due = due if first_behind else min(due, entry.due)
        if flying:
            entry.renewed = True
        else:
            self._leave(entry)
        return int(first_behind)

    def claim(self, limit: int, *, lost: bool) -> tuple[int, list[tuple[Task, int, int]]] | None:
        """The number of the claim and its tasks with attempts and attempts alone."""
        self._return_lost()
        groups = [(batch.due, id_) for id_, batch in self.batches.items() if batch.due is not None]
        due_groups = sorted(pair for pair in groups if pair[0] <= self.now)
        ordinary = sorted((e.due, e.task.work) for e in self.entries.values() if e.place is None and e.due <= self.now)
        returned = bool(due_groups) and (not ordinary or due_groups[0][0] <= ordinary[0][0])
        if returned:
            due, id_ = due_groups[0]
            works = self.batches.pop(id_).works
            self._batch(Batch(works[limit:], due=due))
            works = works[:limit]
        else:
            works = [work for _, work in ordinary[:limit]]
        if not works:
            return None
        alone = returned and len(works) == 1
        for work in works:
            self.entries[work].attempts += 1
            self.entries[work].alone += alone
        number = self._batch(Batch(works, deadline=self.now + _NEVER * (not lost), returned=returned, alone=alone))
        return number, [(e.task, e.attempts, e.alone) for e in (self.entries[work] for work in works)]

    def _return_lost(self) -> None:
        ended = [(b.deadline, id_) for id_, b in self.batches.items() if b.deadline is not None]
        for _, id_ in sorted(pair for pair in ended if pair[0] <= self.now):
            works = self.batches.pop(id_).works
            for work in works:
                self.entries[work].place = None
            again = [work for work in works if not self.entries[work].renewed]
            for work in works:
                self.entries[work].renewed = False
            half = math.ceil(len(again) / 2)
            for part in (again[:half], again[half:]):
                self._batch(Batch(part, due=-math.inf))

    def done(self, number: int, finished: list[Task]) -> None:
        for one in finished:
            entry = self.entries.get(one.work)
            if entry is not None and entry.place == number:
                self._leave(entry)
                entry.renewed = False
                if one.revision >= entry.task.revision:
                    del self.entries[one.work]

    def give_back(self, number: int, works: list[WorkKey], attempt: Attempt, *, never: bool) -> None:
        batch, together = self.batches.get(number), []
        due = self.now + _NEVER * never
        for work in works:
            entry = self.entries.get(work)
            if batch is None or entry is None or entry.place != number:
                continue
            self._leave(entry)
            if entry.renewed:
                entry.renewed, entry.due = False, max(entry.due, due) if never else entry.due
            elif attempt is Attempt.COUNTED:
                entry.due = due
                self._batch(Batch([work], due=due))
            else:
                entry.attempts, entry.alone = entry.attempts - 1, entry.alone - batch.alone
                entry.due = due if never else entry.due
                together += [work] if batch.returned else []
        self._batch(Batch(together, due=due if never else -math.inf))

    def extend(self, number: int, *, lost: bool) -> bool:
        if number not in self.batches:
            return False
        self.batches[number].deadline = self.now + _NEVER * (not lost)
        return True

    def waiting(self) -> int:
        return len(self.entries) - self.in_flight()

    def in_flight(self) -> int:
        return sum(len(b.works) for b in self.batches.values() if b.deadline is not None and b.deadline > self.now)

    def _batch(self, batch: Batch) -> int:
        self.made += 1
        if batch.works:
            self.batches[self.made] = batch
        for work in batch.works:
            self.entries[work].place = self.made
        return self.made

    def _leave(self, entry: Entry) -> None:
        if entry.place is not None:
            batch = self.batches[entry.place]
            batch.works.remove(entry.task.work)
            if not batch.works:
                del self.batches[entry.place]
        entry.place = None


_TASKS = st.lists(st.builds(task, st.sampled_from("abcdefgh"), st.integers(1, 6)), min_size=1, max_size=5)
_RARELY = st.sampled_from([False, False, False, True])


class Calls(RuleBasedStateMachine):
    """Random calls, each made on the queue and on the model."""

    def __init__(self, queue: WorkQueue) -> None:
        super().__init__()
        self.queue, self.model = queue, Model()
        self.claims: list[tuple[Claim, int]] = []

    def pick(self, data: st.DataObject) -> tuple[Claim, int, list[Task]] | None:
        if not self.claims:
            return None
        claim, number = data.draw(st.sampled_from(self.claims[-6:]))
        chosen = data.draw(st.lists(st.sampled_from([one.task for one in claim.tasks]), min_size=1, unique=True))
        return claim, number, chosen

    @rule(told=_TASKS, never=_RARELY)
    def add(self, told: list[Task], never: bool) -> None:
        expected = self.model.add(told, never=never)
        try:
            queued: int | None = self.queue.add(told, delay=LONG * never)
        except Busy:
            queued = None
        assert queued == expected

    @rule(limit=st.integers(1, 5), lost=st.booleans())
    def claim(self, limit: int, lost: bool) -> None:
        expected = self.model.claim(limit, lost=lost)
        claim = self.queue.claim(Lane.LIVE, limit, 0.0 if lost else LONG)
        got = [(one.task, one.attempts, one.attempts_alone) for one in claim.tasks] if claim else None
        assert got == (expected[1] if expected else None)
        if claim and expected:
            self.claims.append((claim, expected[0]))

    @rule(data=st.data(), newer=st.sampled_from([-1, 0, 0, 0, 1]))
    def done(self, data: st.DataObject, newer: int) -> None:
        if picked := self.pick(data):
            claim, number, chosen = picked
            finished = [Task(one.work, one.revision + newer) for one in chosen]
            self.model.done(number, finished)
            self.queue.done(claim, finished)

    @rule(data=st.data(), attempt=st.sampled_from(Attempt), never=_RARELY)
    def give_back(self, data: st.DataObject, attempt: Attempt, never: bool) -> None:
        if picked := self.pick(data):
            claim, number, chosen = picked
            self.model.give_back(number, [one.work for one in chosen], attempt, never=never)
            self.queue.give_back(claim, chosen, attempt, LONG * never)

    @rule(data=st.data(), lost=st.booleans())
    def extend(self, data: st.DataObject, lost: bool) -> None:
        if picked := self.pick(data):
            claim, number, _ = picked
            expected = self.model.extend(number, lost=lost)
            assert self.queue.extend(claim, 0.0 if lost else LONG) == expected

    @invariant()
    def depth_agrees(self) -> None:
        self.model.now += 1
        depth = self.queue.depth(Lane.LIVE)
        assert (depth.waiting, depth.in_flight) == (self.model.waiting(), self.model.in_flight())

    def teardown(self) -> None:
        """Whatever happened, everything that is due can still be claimed and finished."""
        due = {work for work, entry in self.model.entries.items() if entry.due < _NEVER}
        for claim, number in self.claims:
            self.model.now += 1
            self.model.extend(number, lost=True)
            self.queue.extend(claim, 0.0)
        while (claimed := self.queue.claim(Lane.LIVE, 5, LONG)) is not None:
            due -= {one.task.work for one in claimed.tasks}
            self.queue.done(claimed, [one.task for one in claimed.tasks])
        assert not due


def check_against_model(make_queue: Callable[[int], WorkQueue], examples: int) -> None:
    """Run random calls on a fresh queue (of the bound given) and on the model; every answer must be the same."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )

    class FreshCalls(Calls):
        def __init__(self) -> None:
            super().__init__(make_queue(_BOUND))

    run_state_machine_as_test(FreshCalls, settings=chosen)
