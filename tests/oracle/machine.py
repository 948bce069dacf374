"""The oracle run: random changes, deliveries, work, releases, crashes and time; then the index equals the oracle."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from domain.items import Change, Item, ItemKey, Removal
from domain.versions import VectorState
from tests.oracle import operations
from tests.oracle.crashing import Blow, Tally, Trouble, Where
from tests.oracle.run import Fate, Run, Running
from tests.oracle.storages import Storage
from tests.oracle.world import KIND, POISON, SPACES, Process, Wiring, World, poisoned

KEYS = tuple(ItemKey(tenant, KIND, id_) for tenant, id_ in (("t", "a"), ("t", "b"), ("t", "c"), ("u", "a")))
#: Contents of items, as title and views; what the item tower does not read may change alone.
CONTENTS = (("red car", 1.0), ("red car", 2.0), ("blue van", 1.0), ("old blue van", 1.0), (f"{POISON} van", 1.0))

_BLOWS = st.builds(Blow, st.sampled_from(Trouble), st.sampled_from(Where))
_FATES = st.one_of(
    st.just(Fate()), st.builds(Fate, st.integers(0, 5)), *[st.builds(Fate, st.integers(0, 7), _BLOWS)] * 2
)
_WHICH = st.integers(0, 99)
_KEYS, _CONTENTS = st.sampled_from(KEYS), st.sampled_from(CONTENTS)
#: Operations that write what somebody told or stored, so that a purge must not run beside them.
_WRITERS = ("apply", "fill", "compare")


class OracleRun(RuleBasedStateMachine):
    """One run of everything; a subclass gives the storage, the wiring and the tally."""

    storage: Storage
    wiring: Wiring
    tally: Tally
    #: Whether what is older than a purged tombstone is taken as new at once; OpenSearch refuses it for a minute.
    forgets_at_once = True

    def __init__(self) -> None:
        super().__init__()
        self.tally.runs += 1
        self.stack = ExitStack()
        world = World(self.stack.enter_context(self.storage()), self.wiring, self.tally)
        self.run = Run(world, KEYS)
        #: What the host has now.
        self.truth: dict[ItemKey, Change] = {}
        #: Items of which the engine takes only newer revisions for a minute, and no minute of its own passes here.
        self.refused: set[ItemKey] = set()

    # What the host does.

    @rule(key=_KEYS, content=_CONTENTS, step=st.integers(1, 2), fate=_FATES)
    def change(self, key: ItemKey, content: tuple[str, float], step: int, fate: Fate) -> None:
        """An item is made or changed, and told at once."""
        self.run.tell([self._changed(key, content, step)], fate)

    @precondition(lambda self: len(self.run.watch.writing) > 1)
    @rule(key=_KEYS, content=_CONTENTS, calls=st.integers(2, 6), blow=_BLOWS)
    def change_half_told(self, key: ItemKey, content: tuple[str, float], calls: int, blow: Blow) -> None:
        """A change is cut short between the generations, and nobody tells it again."""
        self.run.tell([self._changed(key, content, 1)], Fate(calls, blow), insistent=False)

    @rule(key=_KEYS, content=_CONTENTS)
    def change_and_tell_later(self, key: ItemKey, content: tuple[str, float]) -> None:
        self.run.untold.append(self._changed(key, content, 1))

    @rule(key=_KEYS, fate=_FATES)
    def remove(self, key: ItemKey, fate: Fate) -> None:
        self.truth[key] = Removal(key, self._next_revision(key, 1))
        self.run.tell([self.truth[key]], fate)

    @rule(key=_KEYS, content=_CONTENTS, fate=_FATES)
    def tell_a_revision_twice_with_other_content(self, key: ItemKey, content: tuple[str, float], fate: Fate) -> None:
        if key in self.truth and key not in self.refused:
            self.run.tell([_item(key, self.truth[key].revision, content)], fate)

    @precondition(lambda self: self.run.untold)
    @rule(which=st.lists(_WHICH, min_size=1, max_size=3), fate=_FATES, insistent=st.booleans())
    def deliver(self, which: list[int], fate: Fate, insistent: bool) -> None:
        """Changes arrive late and in any order."""
        untold = self.run.untold
        self.run.tell([untold.pop(one % len(untold)) for one in which if untold], fate, insistent)

    @precondition(lambda self: self.run.delivered)
    @rule(which=st.lists(_WHICH, min_size=1, max_size=3), fate=_FATES)
    def deliver_again(self, which: list[int], fate: Fate) -> None:
        """Changes that were told before arrive once more, old ones too."""
        delivered = self.run.delivered
        self.run.tell([delivered[one % len(delivered)] for one in which], fate)

    @rule(fate=_FATES)
    def fill(self, fate: Fate) -> None:
        """`sidetower index` reads everything that the host has now, told or not."""
        items = [one for one in self.truth.values() if isinstance(one, Item) and not poisoned(one)]
        if items:
            running = Running("fill", lambda process: operations.fill(process, items), items, insistent=False)
            running.then = lambda writing: self._filled(running, writing)
            self._begin(running, fate)

    # What workers do.

    @precondition(lambda self: self.run.depth())
    @rule(fate=_FATES)
    def drain(self, fate: Fate) -> None:
        self._begin(Running("drain", operations.drain), fate)

    @rule(key=_KEYS, content=_CONTENTS, fate=_FATES)
    def change_and_drain(self, key: ItemKey, content: tuple[str, float], fate: Fate) -> None:
        """What happens most of the time."""
        self.run.tell([self._changed(key, content, 1)], Fate())
        self._begin(Running("drain", operations.drain), fate)

    @precondition(lambda self: self.run.watch.seen(VectorState.PENDING))
    @rule(fate=_FATES, older_than=st.sampled_from([0.0, 60.0]))
    def reconcile(self, fate: Fate, older_than: float) -> None:
        self._begin(Running("reconcile", lambda process: operations.reconcile(process, older_than)), fate)

    @precondition(lambda self: len(self.run.watch.writing) > 1)
    @rule(fate=_FATES)
    def compare(self, fate: Fate) -> None:
        self._begin(Running("compare", operations.compare), fate)

    @precondition(lambda self: len(self.run.watch.writing) == 1 and self.run.watch.seen(VectorState.REMOVED))
    @rule(fate=_FATES)
    def purge(self, fate: Fate) -> None:
        """Tombstones of any age are forgotten, while nobody is about to write anything older."""
        process = self.run.idle(last=True)
        if process is None or self.run.busy_with(*_WRITERS, *operations.STEPS):
            return
        self.run.watch.purging = True
        self.run.begin(process, Running("purge", lambda one: operations.purge(one, 0.0)), fate)
        if not process.gate.idle:
            # It ends in this turn, one way or another, so that it is known what it took.
            self.run.advance(process, Fate())
        self.run.watch.purging = False
        for key in self.run.watch.purged():
            # An older revision would be taken as new.
            self.run.oracle.forget(key)
            if not self.forgets_at_once:
                self.run.drop_messages(key)
                self.refused.add(key)

    @precondition(lambda self: self.run.watch.seen(VectorState.READY))
    @rule()
    def search(self) -> None:
        self.run.search()

    # How processes, queue and time behave.

    @precondition(lambda self: self.run.running)
    @rule(which=_WHICH, fate=_FATES)
    def go_on(self, which: int, fate: Fate) -> None:
        """An operation that was held in the middle of its calls gets further."""
        name = sorted(self.run.running)[which % len(self.run.running)]
        self.run.advance(next(one for one in self.run.world.processes if one.name == name), fate)

    @rule(event=st.sampled_from([0.5, 3.0, 11.0, 61.0, 130.0, "queue", "p0", "p0", "p1"]))
    def meanwhile(self, event: float | str) -> None:
        """Time passes, the queue is lost, or the release store falls silent towards a process or answers it again."""
        if isinstance(event, float):
            self.run.pass_time(event)
        elif event == "queue":
            self.run.lose_queue()
        else:
            self.run.cut_off(next(one for one in self.run.world.processes if one.name == event))

    # What the operator does.

    @rule(forward=st.booleans(), space=st.sampled_from(SPACES), fate=_FATES)
    def release_step(self, forward: bool, space: str, fate: Fate) -> None:
        """The next step towards another generation, or back."""
        self._step(forward, space, fate)

    @rule(space=st.sampled_from(SPACES), fate=_FATES)
    def next_release_step(self, space: str, fate: Fate) -> None:
        self._step(True, space, fate)

    def _step(self, forward: bool, space: str, fate: Fate) -> None:
        if self.run.busy_with(*operations.STEPS):
            return
        # The operator waits until no writer can go by an older release.
        self.run.await_lease()
        release = self.run.world.release()
        unused = [name for name in self.run.world.existing() if name not in release.writing]
        other = next((name for name in release.writing if name != release.default.generation), "")
        work: Callable[[Process], None]
        if unused:
            name, work = "drop", lambda process: operations.drop(process, unused[0])
        elif not other:
            name, work = "prepare", lambda process: operations.prepare(process, space)
        elif forward and release.filling:
            name, work = "fill_second", operations.fill_second
        elif forward and not release.previous:
            name, work = "promote", operations.promote
        elif not forward and release.previous:
            name, work = "roll_back", operations.roll_back
        else:
            name, work = "stop_writing", lambda process: operations.stop_writing(process, other)
        self._begin(Running(name, work), fate)

    # How it ends.

    def teardown(self) -> None:
        try:
            if not self.run.violated:
                self.run.finish()
        finally:
            self.run.close()
            self.stack.close()

    def _begin(self, running: Running, fate: Fate) -> None:
        if process := self.run.idle(last=True):
            self.run.begin(process, running, fate)

    def _changed(self, key: ItemKey, content: tuple[str, float], step: int) -> Item:
        self.truth[key] = item = _item(key, self._next_revision(key, step), content)
        return item

    def _next_revision(self, key: ItemKey, step: int) -> int:
        return (self.truth[key].revision if key in self.truth else 0) + step

    def _filled(self, running: Running, writing: tuple[str, ...]) -> None:
        """A fill that came to its end brought everything, unless the generations changed under it."""
        if running.settled and writing == self.run.watch.writing == running.writing:
            for change in running.changes:
                self.run.oracle.acknowledge(change)


def _item(key: ItemKey, revision: int, content: tuple[str, float]) -> Item:
    title, views = content
    return Item(key, revision, texts={"title": title}, signals={"views": views})
