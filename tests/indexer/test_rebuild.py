"""Rebuild: a new generation from the running one, killed anywhere, promoted only when it holds the same."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidQuery, ReleaseConflict, Unavailable
from domain.items import ItemKey, Removal
from domain.ports import Checkpoints
from domain.releases import Generation, Pointer, Release, Stage
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from domain.work import Lane, ParkedItem, WorkKey
from indexer.comparison import Comparison
from indexer.live import LiveWriter
from indexer.rebuild import Planned, Rebuild
from indexer.refill import PAGE, Refill, RefillReport
from indexer.releases import LEASE_SECONDS, finish
from plugin.embedded.checkpoints import EmbeddedCheckpoints
from plugin.embedded.database import Database
from tests.indexer.conftest import KIND, House, item
from tests.support.failing import AWAY, Failing
from tests.support.toy_embedder import ToyEmbedder

OLD, NEW = "listing-g1", "listing-g2"


@dataclass
class Yard:
    """A house in which generation 2 is of another space, and every wait is told."""

    house: House
    checkpoints: Checkpoints
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.embedders = {OLD: self.house.embedder, NEW: ToyEmbedder("toy-two", poison="cursed")}
        self.live = LiveWriter(
            self.house.engine, self.house.view, self.house.queue, self.embedders.__getitem__, self.house.clock
        )

    def steps(self, **given: object) -> Rebuild:
        """Those of a new process."""
        house = self.house
        parts = {"generations": house.generations, "releases": house.releases, "parked": house.parked}
        return Rebuild(KIND, **(parts | given), checkpoints=self.checkpoints, sleep=self.wait)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.house.clock.now += seconds

    def generation(self, name: str = NEW) -> Generation:
        weights = {"title": 3.0, "body": 1.0}
        return Generation(name, KIND, self.embedders[name].space, weights, {"make": "keyword"})

    def refill(self, source: str = OLD, target: str = NEW, **given: object) -> Refill:
        engine = given.pop("engine", self.house.engine)
        parts = (engine, source, target, self.embedders[target], self.house.parked, self.checkpoints)
        return Refill(*parts, clock=self.house.clock, sleep=self.wait, **given)  # type: ignore[arg-type]

    def begin(self, count: int) -> None:
        """A served generation of so many items, every tenth removed."""
        self.house.begin()
        finish(self.house.releases, KIND)
        self.house.view.forget(KIND)
        self.live.apply([item(number) for number in range(count)])
        self.live.apply([Removal(item(number).key, 2) for number in range(0, count, 10)])

    def publish(self) -> Planned:
        planned = self.steps().plan("bundle-2")
        self.steps().publish(self.generation(planned.generation))
        self.house.view.forget(KIND)
        return planned

    def promote(self, planned: Planned) -> None:
        """Fill, compare, promote."""
        assert self.refill(self.release().default.generation, planned.generation).run().complete
        self.steps().filled(planned.generation)
        self.house.view.forget(KIND)
        assert self.compared() == 0
        self.steps().promote(planned)
        self.house.view.forget(KIND)

    def compared(self) -> int:
        """How many differences a comparison found."""
        self.house.clock.now += 60
        house = self.house
        report = Comparison(house.engine, house.generations, house.view, house.queue, house.clock).run(KIND)
        assert report.complete
        return report.differences

    def release(self) -> Release:
        return self.steps().release()

    def contents(self, generation: str) -> dict[ItemKey, tuple[int, str]]:
        self.house.engine.refresh(generation)
        found = self.house.engine.scan(generation, limit=9_000)
        return {one.key: (one.change.revision, one.change.content_hash) for one in found}

    def states(self, generation: str) -> dict[str, int]:
        self.house.engine.refresh(generation)
        told = [one.vector_state.value for one in self.house.engine.scan(generation, limit=9_000)]
        return {state: told.count(state) for state in sorted(set(told))}


@pytest.fixture
def yard(house: House, tmp_path: Path) -> Yard:
    return Yard(house, EmbeddedCheckpoints(Database(tmp_path / f"{uuid.uuid4().hex}.db")))


def test_a_new_generation_takes_over_with_its_own_vectors(yard: Yard) -> None:
    yard.begin(40)
    planned = yard.publish()
    assert planned == Planned(NEW, "bundle-2")
    release = yard.release()
    assert (release.writing, release.filling, release.default) == ((OLD, NEW), (NEW,), Pointer(OLD, "bundle-1"))
    assert yard.waited == [LEASE_SECONDS]
    report = yard.refill().run()
    assert (report.read, report.embedded, report.reused, report.removed, report.failed) == (40, 36, 0, 4, 0)
    assert yard.contents(NEW) == yard.contents(OLD)
    assert yard.states(NEW) == {"ready": 36, "removed": 4}
    stored = yard.house.engine.read(NEW, [item(1).key])[item(1).key]
    assert stored.space == "toy-two"
    yard.steps().filled(NEW)
    yard.house.view.forget(KIND)
    assert yard.compared() == 0
    yard.steps().promote(planned)
    release = yard.release()
    assert (release.default, release.previous) == (Pointer(NEW, "bundle-2"), Pointer(OLD, "bundle-1"))
    assert (release.writing, release.filling, release.state) == ((OLD, NEW), (), Stage.SERVING)
    assert yard.steps().planned() is None


def test_vectors_of_the_same_space_are_not_computed_again(yard: Yard) -> None:
    yard.begin(30)
    yard.house.drainer.drain(Lane.LIVE, 60)
    yard.embedders[NEW] = ToyEmbedder(yard.house.embedder.space)
    yard.publish()
    report = yard.refill().run()
    assert (report.reused, report.embedded, yard.embedders[NEW].embedded) == (27, 0, [])
    old, new = (yard.house.engine.read(name, [item(1).key])[item(1).key] for name in (OLD, NEW))
    assert old.vector is not None
    assert new.vector is not None
    assert (old.vector == new.vector).all()


class TestChangesMeanwhile:
    """Whatever is told while the fill runs is in both at its end."""

    def test_edits_removals_and_new_items_win_over_the_fill(self, yard: Yard) -> None:
        yard.begin(20)
        planned = yard.publish()
        pages = 0

        def meanwhile(_: RefillReport) -> None:
            nonlocal pages
            pages += 1
            yard.live.apply([item(3, 7, title="edited"), item(100 + pages), Removal(item(pages).key, 9)])

        yard.refill(rate=5).run(on_page=meanwhile)
        assert pages >= 4
        yard.steps().filled(planned.generation)
        yard.house.view.forget(KIND)
        assert yard.compared() == 0
        assert yard.contents(NEW) == yard.contents(OLD)

    def test_what_a_late_writer_wrote_to_the_old_one_alone_is_found(self, yard: Yard) -> None:
        yard.begin(20)
        planned = yard.publish()
        yard.refill().run()
        # Its release was read before the publication, its write came after the fill had passed.
        yard.steps().filled(planned.generation)
        before: Any = _Before(OLD)
        late = LiveWriter(yard.house.engine, before, yard.house.queue, yard.embedders.__getitem__, yard.house.clock)
        late.apply([item(5, 4, title="late"), item(500)])
        yard.house.view.forget(KIND)
        assert yard.compared() == 2
        assert yard.contents(NEW) == yard.contents(OLD)


class _Before:
    """A release view that knows one generation alone."""

    def __init__(self, generation: str) -> None:
        self._release = Release(KIND, Pointer(generation, "bundle-1"), (generation,), Stage.SERVING)

    def for_writing(self, _: str) -> Release:
        return self._release


class TestCutAnywhere:
    """Kill it between any two calls, run it again."""

    def test_the_fill_goes_on_after_its_last_page(self, yard: Yard) -> None:
        yard.begin(30)
        yard.publish()
        first = yard.refill(rate=7).run(stop=lambda: True)
        assert (first.complete, first.read) == (False, 7)
        rest = yard.refill(rate=7).run()
        assert (rest.complete, rest.read, rest.unchanged) == (True, 30, 0)
        assert rest.embedded + rest.removed == 30 - 7
        # A third one looks at everything, and writes nothing.
        again = yard.refill().run()
        assert (again.read, again.unchanged, again.written) == (30, 30, 0)

    @pytest.mark.parametrize("call", ["write", "read", "scan", "refresh"])
    def test_an_engine_that_is_away_ends_it_and_it_goes_on(self, yard: Yard, call: str) -> None:
        yard.begin(30)
        yard.publish()
        with pytest.raises(Unavailable):
            yard.refill(engine=Failing(yard.house.engine, **{call: AWAY})).run()
        yard.refill().run()
        assert yard.contents(NEW) == yard.contents(OLD)

    def test_every_step_can_be_cut_and_repeated(self, yard: Yard) -> None:
        yard.begin(12)
        rng = random.Random(3)
        for _ in range(200):
            broken = rng.choice(["create", "put", "get", "drop", "all", "nothing"])
            parts = {
                "generations": Failing(yard.house.generations, **{broken: AWAY}),
                "releases": Failing(yard.house.releases, **{broken: AWAY}),
            }
            steps = yard.steps(**parts)
            try:
                planned = steps.planned() or steps.plan("bundle-2")
                yard.embedders.setdefault(planned.generation, ToyEmbedder("toy-two"))
                steps.publish(yard.generation(planned.generation))
                yard.house.view.forget(KIND)
                yard.refill(target=planned.generation).run(stop=lambda: rng.random() < 0.5)
                steps.filled(planned.generation)
                if rng.random() < 0.3:
                    steps.promote(planned)
                    break
            except Unavailable:
                continue
        assert yard.release().default == Pointer(NEW, "bundle-2")
        assert [one.name for one in yard.house.generations.all()] == [OLD, NEW]
        assert yard.release().writing == (OLD, NEW)


class TestAfterwards:
    """Roll back, retire, the next one."""

    def test_the_one_before_stays_current_and_can_be_returned_to(self, yard: Yard) -> None:
        yard.begin(10)
        yard.promote(yard.publish())
        yard.live.apply([item(3, 8, title="after")])
        assert yard.contents(OLD) == yard.contents(NEW)
        assert yard.steps().roll_back().default == Pointer(OLD, "bundle-1")
        assert yard.steps().planned() is None
        assert yard.steps().roll_back().default == Pointer(NEW, "bundle-2")

    def test_without_one_before_there_is_nothing_to_roll_back_to(self, yard: Yard) -> None:
        yard.begin(3)
        with pytest.raises(InvalidQuery, match="a generation to roll back to"):
            yard.steps().roll_back()
        yard.promote(yard.publish())
        yard.steps().retire()
        with pytest.raises(InvalidQuery, match="--bundle ID"):
            yard.steps().roll_back()

    def test_a_bundle_of_the_served_space_is_served_and_one_of_another_is_refused(self, yard: Yard) -> None:
        yard.begin(3)
        served = yard.steps().serve("trained", yard.generation(OLD).space)
        assert (served.default, served.previous) == (Pointer(OLD, "trained"), Pointer(OLD, "bundle-1"))
        assert yard.steps().serve("trained", yard.generation(OLD).space) == served
        yard.promote(yard.publish())
        with pytest.raises(ReleaseConflict, match="train again"):
            yard.steps().serve("trained too", yard.generation(OLD).space)
        assert yard.release().default == Pointer(NEW, "bundle-2")

    def test_retiring_drops_the_old_one_after_a_lease_and_frees_its_parked(self, yard: Yard) -> None:
        yard.begin(10)
        works = [WorkKey(item(1).key, name) for name in (OLD, NEW)]
        yard.house.parked.park([ParkedItem(work, 1, 5, "cursed", 0.0) for work in works])
        yard.promote(yard.publish())
        yard.waited.clear()
        assert yard.steps().retire() == [OLD]
        assert yard.waited == [LEASE_SECONDS]
        release = yard.release()
        assert (release.writing, release.previous, release.default.generation) == ((NEW,), None, NEW)
        assert [one.name for one in yard.house.generations.all()] == [NEW]
        assert [one.work for one in yard.house.parked.all()] == works[1:]
        assert yard.steps().retire() == []

    def test_retiring_in_the_middle_gives_the_rebuild_up(self, yard: Yard) -> None:
        yard.begin(10)
        planned = yard.publish()
        assert yard.steps().retire() == [NEW]
        assert (yard.release().writing, yard.release().filling) == ((OLD,), ())
        assert yard.steps().planned() is None
        with pytest.raises(ReleaseConflict, match="begin the rebuild again"):
            yard.steps().promote(planned)
        # Some process may still know the space of the old name.
        assert yard.steps().plan("bundle-2").generation == "listing-g3"

    def test_a_generation_that_a_tenant_is_served_from_is_kept(self, yard: Yard) -> None:
        yard.begin(5)
        yard.promote(yard.publish())
        held = yard.house.releases.get(KIND)
        assert held is not None
        yard.house.releases.put(replace(held.release, tenants={"a": Pointer(OLD, "bundle-1")}), held.token)
        assert yard.steps().retire() == []
        assert yard.release().writing == (OLD, NEW)

    def test_before_the_first_fill_has_ended_there_is_none(self, yard: Yard) -> None:
        yard.house.begin()
        with pytest.raises(InvalidQuery, match="its first fill under way"):
            yard.steps().plan("bundle-2")

    def test_before_the_first_index_there_is_none(self, yard: Yard) -> None:
        with pytest.raises(Unavailable, match="sidetower index"):
            yard.steps().planned()


class _Refusing(Failing):
    """An engine that has no room for removals."""

    def write(self, generation: str, items: Sequence[StoredItem]) -> list[ItemOutcome]:
        taken = [one for one in items if one.item is not None]
        refused = [ItemOutcome(one.key, Outcome.FAILED, "no room") for one in items if one.item is None]
        return [*self._inner.write(generation, taken), *refused]


class TestRefill:
    """Pages, pace, and items that cannot be embedded."""

    def test_an_item_that_breaks_the_embedder_is_told_and_its_neighbours_go_through(self, yard: Yard) -> None:
        yard.begin(30)
        yard.live.apply([item(7, 3, title="a cursed car"), item(8, 3, title="cursed too")])
        yard.publish()
        report = yard.refill().run()
        assert (report.failed, report.embedded, report.complete) == (2, 27 - 2, True)
        assert "a/listing/i7: stored without a vector: ValueError" in " ".join(report.errors)
        assert yard.contents(NEW) == yard.contents(OLD)
        assert yard.states(NEW) == {"pending": 2, "ready": 25, "removed": 3}

    def test_the_pace_is_kept(self, yard: Yard) -> None:
        yard.begin(30)
        yard.publish()
        yard.waited.clear()
        yard.refill(rate=10).run()
        # Three seconds' worth, less what the writes themselves took.
        assert len(yard.waited) == 3
        assert 0 < max(yard.waited) <= 10 / 10

    def test_more_than_a_page(self, yard: Yard) -> None:
        yard.begin(0)
        count = PAGE + 5
        yard.live.apply([item(number) for number in range(count)])
        yard.publish()
        reads: list[int] = []
        yard.refill().run(on_page=lambda report: reads.append(report.read))
        assert reads == [PAGE, count]
        assert yard.states(NEW) == {"ready": count}

    def test_in_place_it_gives_the_pending_their_vectors_and_leaves_the_parked(self, yard: Yard) -> None:
        yard.begin(20)
        parked = WorkKey(item(3).key, OLD)
        yard.house.parked.park([ParkedItem(parked, 1, 5, "cursed", 0.0)])
        report = yard.refill(OLD, OLD).run()
        assert (report.read, report.embedded, report.parked) == (18, 17, 1)
        assert yard.states(OLD) == {"pending": 1, "ready": 17, "removed": 2}
        assert yard.house.engine.read(OLD, [item(3).key])[item(3).key].vector_state is VectorState.PENDING

    def test_in_place_what_became_pending_behind_a_run_that_was_cut_is_seen_by_the_next(self, yard: Yard) -> None:
        yard.begin(20)
        cut = yard.refill(OLD, OLD, rate=5).run(stop=lambda: True)
        assert (cut.complete, cut.embedded) == (False, 5)
        yard.live.apply([item(1, 7, title="edited")])
        again = yard.refill(OLD, OLD).run()
        assert (again.complete, again.embedded) == (True, 18 - 5 + 1)
        assert yard.states(OLD) == {"ready": 18, "removed": 2}

    def test_a_tombstone_that_is_refused_is_told(self, yard: Yard) -> None:
        yard.begin(20)
        yard.publish()

        report = yard.refill(engine=_Refusing(yard.house.engine)).run()
        assert (report.removed, report.embedded, report.failed) == (0, 18, 2)
        assert "a/listing/i0: no room" in report.errors

    def test_the_parked_go_with_their_text(self, yard: Yard) -> None:
        yard.begin(20)
        yard.house.parked.park([ParkedItem(WorkKey(item(3).key, NEW), 1, 5, "cursed", 0.0)])
        yard.publish()
        assert yard.refill(rate=19).run(stop=lambda: True).parked == 1
        assert yard.refill().run().parked == 1
        assert yard.contents(NEW) == yard.contents(OLD)
