"""Changes told one by one: promise 1 (text first) and promise 2 (newest wins)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from domain.items import ItemKey, Removal
from domain.ports import SearchEngine
from domain.releases import Pointer
from domain.search import Query, Scope
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from domain.work import Lane
from indexer.live import SETTLING, LiveWrite, LiveWriter
from indexer.releases import LEASE_SECONDS
from tests.indexer.conftest import KIND, House, item
from tests.support.failing import Failing

A = Scope("a")


def ids(house: House, text: str) -> list[str]:
    house.engine.refresh("listing-g1")
    return [one.key.id for one in house.engine.search("listing-g1", A, Query(text=text))]


def test_a_change_is_found_by_text_before_any_worker_ran(house: House) -> None:
    house.begin()
    assert [one.outcome for one in house.live.apply([item(1, title="blue van")])] == [Outcome.WRITTEN]
    assert ids(house, "van") == ["i1"]
    assert house.queue.depth(Lane.LIVE).waiting == 1


def test_the_vector_follows(house: House) -> None:
    house.begin()
    house.live.apply([item(1), item(2)])
    report = house.drainer.drain(Lane.LIVE, 5)
    assert (report.embedded, report.failed, report.parked) == (2, 0, 0)
    stored = house.engine.read("listing-g1", [item(1).key])[item(1).key]
    assert (stored.vector_state, stored.space, stored.version) == (VectorState.READY, "toy", 4 * 1 + 1)


def test_several_edits_cost_one_embedding(house: House) -> None:
    house.begin()
    for revision in range(1, 6):
        house.live.apply([item(1, revision, title=f"car number {revision}")])
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 1
    assert house.embedder.embedded == ["i1"]


def test_an_edit_that_the_tower_does_not_read_keeps_its_vector(house: House) -> None:
    house.begin()
    house.live.apply([item(1)])
    house.drainer.drain(Lane.LIVE, 5)
    house.live.apply([item(1, 2, signals={"views": 7.0})])
    stored = house.engine.read("listing-g1", [item(1).key])[item(1).key]
    assert (stored.vector_state, stored.version) == (VectorState.READY, 4 * 2 + 1)
    assert house.queue.depth(Lane.LIVE).waiting == 0


def test_an_older_change_is_stale_and_an_equal_one_with_other_content_is_told(house: House) -> None:
    house.begin()
    house.live.apply([item(1, 5)])
    told = house.live.apply([item(1, 4), item(2, 1), item(1, 5, title="other")])
    assert [one.outcome for one in told] == [Outcome.STALE, Outcome.WRITTEN, Outcome.CONFLICTING_REVISION]


def test_one_call_may_name_an_item_twice(house: House) -> None:
    house.begin()
    told = house.live.apply([item(1, 1, title="first"), item(1, 2, title="second")])
    assert [one.outcome for one in told] == [Outcome.WRITTEN, Outcome.WRITTEN]
    assert ids(house, "second") == ["i1"]


def test_a_removed_item_stays_removed(house: House) -> None:
    house.begin()
    house.live.apply([item(1, 1)])
    house.live.apply([Removal(item(1).key, 3)])
    assert house.live.apply([item(1, 2)])[0].outcome is Outcome.STALE
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 0
    assert ids(house, "car") == []


def test_every_generation_being_written_takes_the_change(house: House) -> None:
    house.begin()
    house.generations.create(house.generation("listing-g2"))
    held = house.releases.get(KIND)
    assert held is not None
    both = type(held.release)(KIND, held.release.default, ("listing-g1", "listing-g2"), held.release.state)
    house.releases.put(both, held.token)
    house.clock.now += 2
    house.live.apply([item(1)])
    key = ItemKey("a", KIND, "i1")
    assert all(key in house.engine.read(name, [key]) for name in both.writing)
    assert house.drainer.drain(Lane.LIVE, 5).embedded == 2


def test_an_item_edited_all_the_time_is_embedded_once_a_second(house: House) -> None:
    house.begin()
    for edit in range(1, 51):
        house.live.apply([item(1, edit, title=f"edit {edit}")])
        house.drainer.drain(Lane.LIVE, 5)
        house.clock.now += 0.1
    # 50 edits in five seconds: the first at once, then one for each second.
    assert len(house.embedder.embedded) == 1 + 4
    house.clock.now += SETTLING
    house.drainer.drain(Lane.LIVE, 5)
    stored = house.engine.read("listing-g1", [item(1).key])[item(1).key]
    assert (stored.change.revision, stored.vector_state) == (50, VectorState.READY)


def test_an_item_edited_now_and_then_is_embedded_at_once(house: House) -> None:
    house.begin()
    for edit in range(1, 4):
        house.live.apply([item(1, edit, title=f"edit {edit}")])
        assert house.drainer.drain(Lane.LIVE, 5).embedded == 1
        house.clock.now += SETTLING


def test_whoever_counts_is_told_of_every_write(house: House) -> None:
    house.begin()
    told: list[LiveWrite] = []
    live = LiveWriter(
        house.engine, house.view, house.queue, lambda _: house.embedder, house.clock, on_write=told.append
    )
    live.apply([item(1), item(2)])
    house.drainer.drain(Lane.LIVE, 5)
    live.apply([item(1, 2, signals={"views": 1.0}), item(2, 2, title="other"), item(2, 1)])
    # The item that is named twice makes a second write.
    assert [(one.kind, one.generation, one.carried) for one in told] == [
        ("listing", "listing-g1", 0),
        ("listing", "listing-g1", 1),
        ("listing", "listing-g1", 0),
    ]
    assert [[outcome.outcome for outcome in one.outcomes] for one in told[1:]] == [
        [Outcome.WRITTEN, Outcome.WRITTEN],
        [Outcome.STALE],
    ]


def test_a_write_that_is_held_up_goes_to_a_generation_made_meanwhile(house: House) -> None:
    """It would be acknowledged though only the old generation has it, which may be dropped before it is missed."""
    house.begin()

    class HeldUp(Failing):
        """A release that changes, and a lease that passes, while the first write is on its way."""

        def write(self, *args: Any) -> list[ItemOutcome]:
            if "listing-g2" not in [one.name for one in house.generations.all()]:
                house.generations.create(house.generation("listing-g2"))
                held = house.releases.get(KIND)
                assert held is not None
                house.releases.put(replace(held.release, writing=("listing-g1", "listing-g2")), held.token)
                house.clock.now += LEASE_SECONDS + 1
            return house.engine.write(*args)

    engine = cast(SearchEngine, HeldUp(house.engine))
    live = LiveWriter(engine, house.view, house.queue, lambda _: house.embedder, house.clock)
    told = live.apply([item(1, 1), item(1, 2)])
    assert [one.outcome for one in told] == [Outcome.WRITTEN, Outcome.WRITTEN]
    assert house.engine.read("listing-g2", [item(1).key])[item(1).key].change.revision == 2


def test_what_conflicts_in_one_generation_goes_into_no_other(house: House) -> None:
    """The content that was acknowledged would be lost with the generation that alone has it."""
    house.begin()
    house.live.apply([item(1, title="first")])
    house.generations.create(house.generation("listing-g2"))
    held = house.releases.get(KIND)
    assert held is not None
    house.releases.put(replace(held.release, writing=("listing-g1", "listing-g2")), held.token)
    house.view.forget(KIND)
    told = house.live.apply([item(1, title="second"), item(2)])
    assert [one.outcome for one in told] == [Outcome.CONFLICTING_REVISION, Outcome.WRITTEN]
    assert list(house.engine.read("listing-g2", [item(1).key, item(2).key])) == [item(2).key]


def test_a_generation_dropped_while_a_write_is_held_up_is_left_out(house: House) -> None:
    house.begin()

    class HeldUp(Failing):
        """A release that moves on, and an old generation that is dropped, before the first read."""

        def read(self, *args: Any) -> dict[ItemKey, StoredItem]:
            if "listing-g1" in [one.name for one in house.generations.all()]:
                house.generations.create(house.generation("listing-g2"))
                held = house.releases.get(KIND)
                assert held is not None
                served = replace(held.release, writing=("listing-g2",), default=Pointer("listing-g2", "bundle-1"))
                house.releases.put(served, held.token)
                house.generations.drop("listing-g1")
                house.clock.now += LEASE_SECONDS + 1
            return house.engine.read(*args)

    engine = cast(SearchEngine, HeldUp(house.engine))
    live = LiveWriter(engine, house.view, house.queue, lambda _: house.embedder, house.clock)
    assert [one.outcome for one in live.apply([item(1)])] == [Outcome.WRITTEN]
    assert item(1).key in house.engine.read("listing-g2", [item(1).key])
