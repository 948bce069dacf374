"""Tombstones are kept for the horizon, and as long as anything counts on them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.items import Removal
from domain.releases import Pointer, Release
from domain.versions import Outcome
from indexer.releases import finish
from indexer.tombstones import HORIZON, MOST, purge_tombstones
from tests.indexer.conftest import KIND, House, item


@pytest.fixture
def removed(house: House) -> House:
    """One item removed, a moment more than the horizon ago, in a release that is served."""
    house.begin()
    finish(house.releases, KIND)
    house.live.apply([item(1)])
    house.live.apply([Removal(item(1).key, 2)])
    house.clock.now += HORIZON + 1
    return house


def purge(house: House, **changes: object) -> int:
    house.engine.refresh("listing-g1")
    release = replace(release_of(house), **changes)  # type: ignore[arg-type]
    return purge_tombstones(house.generations, release, house.clock)


def release_of(house: House) -> Release:
    held = house.releases.get(KIND)
    assert held is not None
    return held.release


def test_a_removal_is_forgotten_after_the_horizon_and_not_before(removed: House) -> None:
    removed.clock.now -= 1
    assert purge(removed) == 0
    assert removed.live.apply([item(1, 1)])[0].outcome is Outcome.STALE
    removed.clock.now += 1
    assert purge(removed) == 1
    assert removed.engine.read("listing-g1", [item(1).key]) == {}


def test_a_removed_item_that_came_back_stays(removed: House) -> None:
    removed.live.apply([item(1, 3)])
    removed.clock.now += 2 * HORIZON
    assert purge(removed) == 0
    assert removed.engine.read("listing-g1", [item(1).key])[item(1).key].item == item(1, 3)


def test_nothing_is_forgotten_while_the_first_generation_is_filled(house: House) -> None:
    house.begin()
    house.live.apply([Removal(item(1).key, 2)])
    house.clock.now += 2 * HORIZON
    assert purge(house) == 0
    finish(house.releases, KIND)
    assert purge(house) == 1


def test_nothing_is_forgotten_while_another_generation_is_written(removed: House) -> None:
    assert purge(removed, writing=("listing-g1", "listing-g2")) == 0
    assert purge(removed) == 1


def test_nothing_is_forgotten_while_the_generation_before_can_be_rolled_back_to(removed: House) -> None:
    removed.generations.create(removed.generation("listing-g0"))
    before = Pointer("listing-g0", "bundle-0")
    assert purge(removed, previous=before) == 0
    removed.generations.drop("listing-g0")
    assert purge(removed, previous=before) == 1


def test_nothing_is_forgotten_while_any_other_generation_of_the_kind_is_there(removed: House) -> None:
    # Made a moment ago; its fill is about to begin, and the release does not name it yet.
    removed.generations.create(removed.generation("listing-g9"))
    assert purge(removed) == 0
    removed.generations.drop("listing-g9")
    removed.generations.create(replace(removed.generation("article-g1"), kind="article"))
    assert purge(removed) == 1


def test_nothing_is_forgotten_while_a_fill_has_not_come_to_its_end(removed: House) -> None:
    assert purge(removed, filling=("listing-g1",)) == 0
    assert purge(removed) == 1


def test_the_horizon_can_be_shorter(house: House) -> None:
    house.begin()
    finish(house.releases, KIND)
    house.live.apply([Removal(item(1).key, 2)])
    house.engine.refresh("listing-g1")
    for horizon, passed, forgotten in ((60.0, 60.0, 0), (60.0, 0.5, 1)):
        house.clock.now += passed
        assert purge_tombstones(house.generations, release_of(house), house.clock, horizon=horizon) == forgotten
    house.live.apply([Removal(item(2).key, 2)])
    house.engine.refresh("listing-g1")
    house.clock.now += 0.001
    assert purge_tombstones(house.generations, release_of(house), house.clock, horizon=0.0) == 1


def test_a_new_bundle_for_the_same_generation_keeps_nothing(removed: House) -> None:
    assert purge(removed, previous=Pointer("listing-g1", "bundle-0")) == 1


def test_one_call_is_bounded(removed: House) -> None:
    removed.clock.now -= HORIZON + 1
    removed.live.apply([Removal(item(number).key, 2) for number in range(2, MOST + 12)])
    removed.clock.now += HORIZON + 1
    assert purge(removed) == MOST
    assert purge(removed) == 1 + 10
