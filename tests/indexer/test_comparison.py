"""Comparison: whatever each generation missed, in the end all that are written hold the same, and the newest."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import StaleRelease
from domain.items import Change, Item, ItemKey, Removal
from domain.ports import SearchEngine
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState, pending, ready, repaired
from domain.work import Lane, Task, WorkKey
from indexer.comparison import EVERY, LOW, PAGE, SETTLED_AFTER, Comparison, ComparisonReport
from indexer.releases import ReleaseView
from tests.indexer.conftest import KIND, House, item
from tests.support.failing import AWAY, Failing
from tests.support.interleaving import Interleaved

G1, G2 = "listing-g1", "listing-g2"
LONG_AGO = 1.0


@pytest.fixture
def both(house: House) -> House:
    """Two generations of one space, both being written, g1 made first."""
    house.begin()
    add(house, G2, made_at=5.0)
    return house


def add(house: House, name: str, made_at: float) -> None:
    house.generations.create(replace(house.generation(name), created_at=made_at))
    held = house.releases.get(KIND)
    assert held is not None
    set_release(house, writing=(*held.release.writing, name))


def set_release(house: House, **fields: object) -> None:
    held = house.releases.get(KIND)
    assert held is not None
    house.releases.put(replace(held.release, **fields), held.token)  # type: ignore[arg-type]
    house.view.forget(KIND)


def comparison(house: House, engine: object = None) -> Comparison:
    chosen: Any = engine or house.engine
    return Comparison(chosen, house.generations, house.view, house.queue, house.clock)


def compare(house: House) -> ComparisonReport:
    return comparison(house).run(KIND)


def store(house: House, generation: str, *changes: Change | StoredItem) -> None:
    """Store these in one generation only, as a writer that dies before the other one leaves them."""
    made = [one if isinstance(one, StoredItem) else pending(one, LONG_AGO) for one in changes]
    assert {one.outcome for one in house.engine.write(generation, made)} == {Outcome.WRITTEN}


def with_vector(house: House, one: Item) -> StoredItem:
    [vector] = house.embedder.embed([one])
    return ready(one, vector, space="toy", inputs_hash=house.embedder.inputs_hash(one), written_at=LONG_AGO)


def held(house: House, generation: str, *keys: ItemKey) -> list[Change | None]:
    found = house.engine.read(generation, keys)
    return [found[key].change if key in found else None for key in keys]


def states(house: House, key: ItemKey) -> list[VectorState]:
    return [house.engine.read(name, [key])[key].vector_state for name in (G1, G2)]


def test_what_one_generation_lacks_it_is_given(both: House) -> None:
    item_one, gone = item(1, 4), Removal(item(2).key, 7)
    store(both, G1, with_vector(both, item_one))
    store(both, G2, gone)
    report = compare(both)
    assert (report.compared, report.missing, report.differences, report.repaired) == (2, 2, 2, 2)
    assert (report.complete, report.failed, report.paused) == (True, 0, "")
    for name in (G1, G2):
        assert held(both, name, item_one.key, gone.key) == [item_one, gone]
    assert states(both, item_one.key) == [VectorState.READY, VectorState.PENDING]
    assert both.drainer.drain(Lane.LIVE, 60).embedded == 1
    assert states(both, item_one.key) == [VectorState.READY] * 2
    assert compare(both).differences == 0


def test_the_newer_revision_goes_to_the_other(both: House) -> None:
    newer, older = (item(1, 5, "new"), item(2, 5, "new")), (item(1, 3, "old"), item(2, 4, "old"))
    store(both, G1, newer[0], with_vector(both, older[1]))
    store(both, G2, with_vector(both, older[0]), newer[1])
    report = compare(both)
    assert (report.older, report.differences, report.repaired) == (2, 2, 2)
    for name in (G1, G2):
        assert held(both, name, newer[0].key, newer[1].key) == list(newer)
    assert both.queue.depth(Lane.LIVE).waiting == 2


def test_a_removal_goes_along_with_its_time_and_a_newer_item_undoes_it(both: House) -> None:
    gone, back = Removal(item(1).key, 5), item(2, 6)
    store(both, G1, item(1, 4), back)
    store(both, G2, pending(gone, LONG_AGO + 3), Removal(back.key, 5))
    assert compare(both).repaired == 2
    for name in (G1, G2):
        assert held(both, name, gone.key, back.key) == [gone, back]
        assert both.engine.read(name, [gone.key])[gone.key].written_at == LONG_AGO + 3


@pytest.mark.parametrize("phases", list(itertools.product((0, 1), (0, 1))))
def test_one_revision_with_two_contents_ends_with_that_of_the_first_generation(
    both: House, phases: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    contents = [item(1, 5, "red car"), item(1, 5, "blue van")]
    for name, one, phase in zip((G1, G2), contents, phases, strict=True):
        store(both, name, with_vector(both, one) if phase else one)
    report = compare(both)
    assert (report.conflicting, report.differences, report.repaired) == (1, 1, 1)
    assert "a/listing/i1" in caplog.text
    assert held(both, G2, contents[0].key) == [contents[0]]
    both.queue.add([Task(WorkKey(contents[0].key, G1), 5)])
    both.drainer.drain(Lane.LIVE, 60)
    assert states(both, contents[0].key) == [VectorState.READY] * 2
    found = both.engine.read(G2, [contents[0].key])[contents[0].key]
    assert (found.version, found.inputs_hash) == (4 * 5 + 3, "red car")
    again = compare(both)
    assert (again.compared, again.differences) == (1, 0)
    # Whoever tells either once more changes nothing.
    outcomes = [both.live.apply([one])[0].outcome for one in contents]
    assert outcomes == [Outcome.WRITTEN, Outcome.CONFLICTING_REVISION]
    assert both.live.apply([item(1, 6)])[0].outcome is Outcome.WRITTEN


@pytest.mark.parametrize("removed_in", [G1, G2])
def test_a_revision_that_is_an_item_here_and_removed_there_is_settled_too(both: House, removed_in: str) -> None:
    kept, gone = item(1, 5), Removal(item(1).key, 5)
    for name in (G1, G2):
        store(both, name, gone if name == removed_in else with_vector(both, kept))
    assert compare(both).conflicting == 1
    expected: Change = gone if removed_in == G1 else kept
    assert [held(both, name, kept.key) for name in (G1, G2)] == [[expected]] * 2
    assert both.queue.depth(Lane.LIVE).waiting == (0 if removed_in == G1 else 1)


def test_neither_names_nor_the_order_of_writing_decide(both: House) -> None:
    first, younger = item(1, 5, "first"), item(1, 5, "younger")
    set_release(both, writing=(G1,))
    both.generations.drop(G2)
    add(both, "listing-g0", made_at=9.0)
    store(both, G1, first)
    store(both, "listing-g0", younger)
    set_release(both, writing=("listing-g0", G1))
    assert compare(both).conflicting == 1
    assert held(both, "listing-g0", first.key) == [first]


def test_what_was_settled_stays_settled(both: House) -> None:
    add(both, "listing-g3", made_at=9.0)
    settled, late = item(1, 5, "settled"), item(1, 5, "late")
    store(both, G1, late)
    store(both, G2, settled)
    store(both, "listing-g3", repaired(settled, LONG_AGO))
    report = compare(both)
    assert (report.conflicting, report.repaired, report.failed) == (1, 1, 0)
    for name in (G1, G2, "listing-g3"):
        assert held(both, name, settled.key) == [settled]
    assert compare(both).differences == 0


@pytest.mark.parametrize("age", [0.0, SETTLED_AFTER - 0.1, -SETTLED_AFTER + 0.1])
def test_a_young_difference_is_left_alone(both: House, age: float) -> None:
    store(both, G1, pending(item(1, 5), both.clock.now - age), item(2, 5))
    store(both, G2, item(1, 4))
    report = compare(both)
    assert (report.young, report.differences, report.missing, report.repaired) == (1, 1, 1, 1)
    assert held(both, G2, item(1).key) == [item(1, 4)]
    both.clock.now += 2 * SETTLED_AFTER
    assert compare(both).older == 1
    assert held(both, G2, item(1).key) == [item(1, 5)]


def test_a_writer_whose_clock_is_far_ahead_holds_nothing_up(both: House) -> None:
    store(both, G1, pending(item(1), both.clock.now + 3_600))
    assert compare(both).repaired == 1


def test_what_a_fill_has_not_brought_yet_is_no_difference(both: House) -> None:
    set_release(both, filling=(G2,))
    store(both, G1, item(1), item(2, 5), item(3, 5))
    store(both, G2, item(2, 4), item(4))
    report = compare(both)
    assert (report.missing, report.older, report.repaired) == (1, 1, 2)
    assert held(both, G2, item(1).key, item(2).key) == [None, item(2, 5)]
    assert held(both, G1, item(4).key) == [item(4)]
    set_release(both, filling=())
    assert compare(both).missing == 2
    assert held(both, G2, item(1).key, item(3).key) == [item(1), item(3, 5)]


def test_one_generation_has_nothing_to_be_compared_with(house: House) -> None:
    house.begin()
    store(house, G1, item(1))
    report = compare(house)
    assert (report.complete, report.compared, report.differences) == (True, 0, 0)


def test_any_two_generations_end_level(both: House) -> None:
    rng = random.Random(7)
    count = 3 * PAGE
    changes = {
        name: [change(number, rng) for number in range(count) if rng.random() < share]
        for name, share in ((G1, 0.9), (G2, 0.2))
    }
    for name, made in changes.items():
        store(both, name, *made)
    told = [{one.key: one for one in made} for made in changes.values()]
    expected = {}
    for key in sorted(told[0] | told[1]):
        # The first of equals stands.
        expected[key] = max((one[key] for one in told if key in one), key=lambda one: one.revision)
    report = compare(both)
    assert (report.complete, report.compared, report.young) == (True, len(expected), 0)
    assert report.repaired == report.differences
    assert report.differences == sum(differ(one.get(key), expected[key]) for key in expected for one in told)
    for name in (G1, G2):
        assert held(both, name, *expected) == list(expected.values())
    assert compare(both).differences == 0


def change(number: int, rng: random.Random) -> Change:
    revision = rng.randrange(3)
    return (
        item(number, revision, f"title {rng.randrange(2)}")
        if rng.random() < 0.8
        else Removal(item(number).key, revision)
    )


def differ(one: Change | None, other: Change) -> bool:
    return one is None or (one.revision, one.content_hash) != (other.revision, other.content_hash)


class Pages:
    """An engine that keeps the sizes of the pages it was asked for."""

    def __init__(self, inner: SearchEngine) -> None:
        self.inner = inner
        self.scanned: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def scan(self, generation: str, after: ItemKey | None, limit: int) -> list[StoredItem]:
        page = self.inner.scan(generation, after, limit)
        self.scanned.append(len(page))
        return page


def test_it_goes_on_page_by_page_and_holds_no_more_than_a_page_of_each(both: House) -> None:
    count = 2 * PAGE + 10
    items = [item(number) for number in range(count)]
    store(both, G1, *items)
    store(both, G2, *items[: count // 2])
    pages = Pages(both.engine)
    one = comparison(both, pages)
    reports = []
    for _ in range(3):
        reports.append(one.run(KIND, pages=1))
        both.drainer.drain(Lane.LIVE, 60)
    assert [report.complete for report in reports] == [False, False, True]
    assert [report.compared for report in reports] == [PAGE, PAGE, 10]
    assert sum(report.missing for report in reports) == count - count // 2
    assert max(pages.scanned) == PAGE
    assert len(pages.scanned) == 2 * 3
    # The next pass begins at the first key.
    assert one.run(KIND, pages=1).compared == PAGE
    assert one.run(KIND).compared == PAGE + 10


def test_a_pass_begins_anew_when_other_generations_are_written(both: House) -> None:
    store(both, G1, *[item(number) for number in range(PAGE + 10)])
    store(both, G2, *[item(number) for number in range(PAGE + 10)])
    one = comparison(both)
    assert not one.run(KIND, pages=1).complete
    add(both, "listing-g3", made_at=9.0)
    report = one.run(KIND)
    assert (report.compared, report.missing) == (PAGE + 10, PAGE + 10)


def test_it_rests_while_the_workers_have_enough_to_do(both: House) -> None:
    store(both, G1, item(1))
    both.queue.add([Task(WorkKey(item(number).key, "other-g1"), 1) for number in range(LOW)])
    report = compare(both)
    assert (report.complete, report.compared, report.repaired) == (False, 0, 0)
    assert str(LOW) in report.paused
    claim = both.queue.claim(Lane.LIVE, 1, 60.0)
    assert claim is not None
    assert compare(both).repaired == 1


def test_a_change_that_is_told_in_the_middle_is_not_taken_back(both: House) -> None:
    store(both, G1, item(1, 4), item(2, 4))
    store(both, G2, item(1, 3), item(2, 3))
    tell = Interleaved(
        both.engine,
        read=lambda: both.live.apply([item(1, 5, "told while it is compared")]),
        write=lambda: both.live.apply([item(2, 6, "told while it is written")]),
    )
    report = comparison(both, tell).run(KIND)
    assert (report.young, report.older, report.failed) == (0, 1, 0)
    assert [one and one.revision for one in held(both, G1, item(1).key, item(2).key)] == [5, 6]
    assert held(both, G1, item(1).key, item(2).key) == held(both, G2, item(1).key, item(2).key)


class FullDisk:
    """An engine whose disk is full for its first write."""

    def __init__(self, inner: SearchEngine) -> None:
        self.inner = inner
        self.full = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, generation: str, items: Sequence[StoredItem]) -> list[ItemOutcome]:
        if self.full:
            self.full = False
            return [ItemOutcome(one.key, Outcome.FAILED, "disk full", busy=True) for one in items]
        return self.inner.write(generation, items)


def test_back_pressure_ends_a_run_and_the_next_one_goes_on_there(both: House) -> None:
    store(both, G1, item(1))
    one = comparison(both, FullDisk(both.engine))
    report = one.run(KIND)
    assert (report.complete, report.paused, report.repaired, report.compared) == (False, "disk full", 0, 0)
    assert one.run(KIND).repaired == 1


def test_it_writes_nothing_behind_the_fence(both: House) -> None:
    store(both, G1, item(1))
    store(both, G2, item(2))
    away: Any = Failing(both.releases)
    view = ReleaseView(away, both.clock)
    one = Comparison(both.engine, both.generations, view, both.queue, both.clock)
    view.for_writing(KIND)
    away.failing["get"] = AWAY
    both.clock.now += 6
    with pytest.raises(StaleRelease):
        one.run(KIND)
    assert held(both, G2, item(1).key) == [None]


def test_a_queue_that_is_away_leaves_what_is_repaired_to_reconcile(both: House) -> None:
    store(both, G1, item(1))
    away: Any = Failing(both.queue, add=AWAY)
    report = Comparison(both.engine, both.generations, both.view, away, both.clock).run(KIND)
    assert (report.complete, report.repaired) == (True, 1)
    assert states(both, item(1).key) == [VectorState.PENDING] * 2


def test_it_is_due_while_a_pass_is_under_way_and_some_time_after_one_ended(both: House) -> None:
    store(both, G1, *[item(number) for number in range(PAGE + 1)])
    one = comparison(both)
    assert one.due(KIND)
    one.run(KIND, pages=1)
    assert one.due(KIND)
    one.run(KIND, pages=1)
    assert not one.due(KIND)
    both.clock.now += EVERY
    assert one.due(KIND)
    one.run(KIND)
    assert not one.due(KIND)
    add(both, "listing-g3", made_at=9.0)
    assert one.due(KIND)
    set_release(both, writing=(G1,))
    assert not one.due(KIND)
