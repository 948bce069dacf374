"""How a run goes on: operations begin, are held, get further and end, and every answer is held to the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from domain.errors import NotFound, StaleRelease, Unavailable
from domain.items import Change, ItemKey
from domain.versions import ItemOutcome, Outcome
from domain.work import Lane
from indexer.held import LEASE
from indexer.releases import LEASE_SECONDS
from indexer.retry import retry_parked
from tests.oracle import operations
from tests.oracle.crashing import Blow, Crash, Tally, Trouble
from tests.oracle.model import Oracle, told
from tests.oracle.watch import Watch
from tests.oracle.world import Process, World

#: More calls than any operation makes.
ALL = 2_000
#: What an operation may meet when a server does not answer, or the release has moved on under a slow one.
_NO_ANSWER = (Unavailable, StaleRelease, NotFound)


@dataclass(frozen=True)
class Fate:
    """How far an operation gets in one go: so many calls, then a blow, or a rest if there is none."""

    calls: int = ALL
    blow: Blow | None = None


@dataclass
class Running:
    """An operation that has begun."""

    name: str
    work: Callable[[Process], Any]
    #: What it tells the index.
    changes: Sequence[Change] = ()
    #: Whether the host tells them again when no answer comes.
    insistent: bool = True
    #: What is made of what it returned.
    then: Callable[[Any], None] = lambda _: None
    #: The generations being written and the losses of the queue when it began.
    writing: tuple[str, ...] = ()
    losses: int = 0
    #: Every writer knew these generations when it began.
    settled: bool = False


#: Rounds after which whatever was to come to an end never will.
_PATIENCE = 30


class Violation(AssertionError):
    """The index is not what the oracle says."""


class Run:
    """A world under trial.

    Args:
        world: fresh.
        keys: every item there can be.
    """

    def __init__(self, world: World, keys: Sequence[ItemKey]) -> None:
        self.world = world
        self.oracle = Oracle()
        self.watch = Watch(world, keys)
        self.running: dict[str, Running] = {}
        #: Changes that the host has yet to tell, and those that it has told.
        self.untold: list[Change] = []
        self.delivered: list[Change] = []
        #: Since when the generations being written are what they are.
        self.since = -LEASE_SECONDS
        self.violated = False
        self._losses = 0

    @property
    def tally(self) -> Tally:
        """Counts."""
        return self.world.tally

    def busy_with(self, *names: str) -> bool:
        """Whether one of these operations is in the middle of its calls."""
        return any(one.name in names for one in self.running.values())

    def idle(self, *, last: bool = False) -> Process | None:
        """A process that could begin something: the first, which takes the host's changes if it can, or the last."""
        return next((one for one in self.world.processes[:: -1 if last else 1] if one.gate.idle), None)

    def tell(self, changes: Sequence[Change], fate: Fate, insistent: bool = True) -> None:
        """The host tells changes; with nobody to take them it tells them later."""
        process = self.idle()
        if process is None:
            self.untold += changes
        elif changes:
            self.delivered += changes
            running = Running("apply", lambda one: one.live.apply(changes), changes, insistent)
            running.then = lambda answers: self._answered(process, running, answers)
            self.begin(process, running, fate)

    def begin(self, process: Process, running: Running, fate: Fate) -> None:
        """Begin an operation and let it get as far as its fate says."""
        for change in running.changes:
            self.oracle.send(change)
        running.writing, running.losses, running.settled = self.watch.writing, self._losses, self.lease_is_over()
        self.tally.overlapping += bool(self.running)
        self.running[process.name] = running
        told_by = told(running.changes)
        self.world.history.append(f"{process.name} begins {running.name} {told_by}")
        process.gate.start(running.name, lambda: running.work(process))
        self.advance(process, fate)

    def advance(self, process: Process, fate: Fate) -> None:
        """Let an operation that is held get further."""
        gate, calls = process.gate, 0
        while not gate.idle and calls < fate.calls:
            gate.step()
            calls += 1
        if calls >= ALL:
            self.violation(f"{gate.operation} never comes to its end")
        if not gate.idle and fate.blow is not None:
            if fate.blow.trouble is Trouble.AWAY:
                self._excuse(self.running[process.name])
                process.mute = process.mute or gate.at == "queue.add"
            gate.step(fate.blow)
        if gate.idle:
            self._ended(process)
        self._note_release(process.gate.operation)
        wrong = self.watch.look()
        if not self.running and self.depth() == 0:
            wrong += self.watch.forgotten_by_the_queue()
        if wrong:
            self.violation("; ".join(wrong))

    def lease_is_over(self) -> bool:
        """Whether no writer can go by another list of generations any more."""
        return self.world.clock.now - self.since > LEASE_SECONDS

    def await_lease(self) -> None:
        """Time passes until no writer can go by another list of generations any more."""
        if not self.lease_is_over():
            self.pass_time(self.since + LEASE_SECONDS + 0.1 - self.world.clock.now)

    def lose_queue(self) -> None:
        """The queue forgets everything."""
        self._losses += 1
        self.tally.events["queue lost"] += 1
        self.world.lose_queue()
        self.watch.excuse_all()

    def pass_time(self, seconds: float) -> None:
        """For every process alike."""
        self.world.clock.now += seconds
        self.world.history.append(f"{seconds:g} s pass")

    def cut_off(self, process: Process) -> None:
        """The release store no longer answers this process, or does so again."""
        process.cut_off = not process.cut_off
        self.tally.events["cut off from the release"] += process.cut_off
        self.world.history.append(f"{process.name} {'is cut off' if process.cut_off else 'is reconnected'}")

    def drop_messages(self, key: ItemKey) -> None:
        """Nothing that was told of the item so far arrives any more."""
        for messages in (self.untold, self.delivered):
            messages[:] = [change for change in messages if change.key != key]

    def search(self) -> None:
        """Ask what is served now for everything in it.

        Raises:
            Violation: it finds something else than what is stored.
        """
        if wrong := self.watch.wrong_answers(self.world.release().default.generation):
            self.violation("; ".join(wrong))

    def finish(self) -> None:
        """Everything is told and worked off, then held to the oracle.

        Raises:
            Violation: the index is not what the oracle says.
        """
        self.tally.close_run(self.world.history)
        for process in [one for one in self.world.processes if one.name in self.running]:
            self.advance(process, Fate())
        for process in self.world.processes:
            process.cut_off = False
        self._tell_the_rest()
        if self.world.release().filling:
            self.await_lease()
            self._do(Running("fill_second", operations.fill_second))
        self._drain_alone()
        self._finish_the_rest()
        if wrong := self.watch.wrong_at_the_end(self.oracle):
            self.violation("; ".join(wrong))

    def close(self) -> None:
        """Kill whatever is in the middle of its calls."""
        for process in self.world.processes:
            process.gate.end()

    def _tell_the_rest(self) -> None:
        for _ in range(_PATIENCE):
            if not self.untold:
                return
            self.pass_time(2 * LEASE_SECONDS)
            changes, self.untold = self.untold, []
            self.tell(changes, Fate())
        self.violation(f"cannot be told: {told(self.untold)}")

    def _drain_alone(self) -> None:
        """Without reconcile: what is in the queue is enough for all that the queue was told of."""
        for _ in range(_PATIENCE):
            self._do(Running("drain", operations.drain))
            if self.depth() == 0:
                break
            self.pass_time(LEASE + 1)

    def _finish_the_rest(self) -> None:
        """What workers do at their schedules, until there is nothing to do."""
        retry_parked(self.world.eyes.parked, self.world.queue)
        for _ in range(_PATIENCE):
            self.pass_time(LEASE + 1)
            report = self._do(Running("compare", operations.compare))
            queued = self._do(Running("reconcile", lambda process: operations.reconcile(process, 0.0)))
            self._do(Running("drain", operations.drain))
            if report.complete and not report.differences and not report.young and not queued and self.depth() == 0:
                return
        self.violation("there is always something left to do")

    def _do(self, running: Running) -> Any:
        """What an operation without any trouble returns."""
        process = self.world.processes[0]
        self.begin(process, running, Fate())
        return process.gate.result

    def depth(self) -> int:
        """How many tasks the queue holds."""
        depth = self.world.queue.depth(Lane.LIVE)
        return depth.waiting + depth.in_flight

    def violation(self, what: str) -> NoReturn:
        """This must not be.

        Raises:
            Violation: with all that has happened.
        """
        self.violated = True
        raise Violation("\n".join([what, *self.world.history]))

    def _ended(self, process: Process) -> None:
        running, error = self.running.pop(process.name), process.gate.error
        self.world.history.append(f"{process.name} ends {running.name}: {error!r}")
        if error is None:
            running.then(process.gate.result)
            return
        self._excuse(running)
        if running.name == "apply" and running.insistent:
            self.untold += running.changes
        if isinstance(error, Crash):
            self.world.processes[self.world.processes.index(process)] = Process(self.world, process.name)
        elif not isinstance(error, _NO_ANSWER):
            self.violation(f"{running.name} ended with {error!r}")

    def _excuse(self, running: Running) -> None:
        """What was not finished in order may be missing from the queue: reconcile has to find it."""
        if running.changes:
            self.watch.excuse([change.key for change in running.changes])
        elif running.name not in ("drain", "reconcile"):
            self.watch.excuse_all()

    def _answered(self, process: Process, running: Running, answers: Sequence[ItemOutcome]) -> None:
        for change, answer in zip(running.changes, answers, strict=True):
            self.tally.events[answer.outcome] += 1
            self.world.history.append(f"{process.name} answers {answer.outcome} {answer.reason}: {told([change])}")
            if wrong := self.oracle.answer(change, answer):
                self.violation(wrong)
            if answer.outcome is Outcome.FAILED and running.insistent:
                self.untold.append(change)
        settled = running.settled and running.writing == self.watch.writing
        written = [c for c, answer in zip(running.changes, answers, strict=True) if answer.outcome is Outcome.WRITTEN]
        if self.lease_is_over() and (missing := self.watch.not_everywhere(written)):
            self.violation("; ".join(missing))
        if process.mute or running.losses != self._losses:
            self._excuse(running)
        elif settled:
            self.watch.expect([one.key for one in written if not self._told_by_others(one.key)])

    def _told_by_others(self, key: ItemKey) -> bool:
        """Whether another operation that tells the item is in the middle of its calls."""
        return any(change.key == key for one in self.running.values() for change in one.changes)

    def _note_release(self, operation: str) -> None:
        """After a step of the operator: since when the generations being written are what they are."""
        writing = self.world.release(anew=operation in operations.STEPS).writing
        if writing != self.watch.writing:
            self.watch.writing, self.since = writing, self.world.clock.now
