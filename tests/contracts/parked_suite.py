"""The contract of parked items: kept until they are freed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.items import ItemKey
from domain.ports import ParkedItems
from domain.work import ParkedItem, WorkKey


class ParkedContract:
    """Subclasses supply the fixture `parked`; nothing else may be parked there meanwhile."""

    @pytest.fixture
    def tenant(self, parked: ParkedItems) -> Iterator[str]:
        """A tenant that no other test has; what it parks is freed at the end."""
        name = f"tenant-{uuid.uuid4().hex[:12]}"
        yield name
        parked.free([one.work for one in _of(parked, name)])

    def test_a_parked_item_comes_back_whole(self, parked: ParkedItems, tenant: str) -> None:
        one = _parked(tenant, "a/ü 字", revision=2**61 - 1, error="Line one\nline 'two' ü")
        parked.park([one])
        assert _of(parked, tenant) == [one]

    def test_parking_again_replaces(self, parked: ParkedItems, tenant: str) -> None:
        first = _parked(tenant, "a")
        second = replace(first, revision=9, attempts=11, error="Another", parked_at=200.5)
        parked.park([first])
        parked.park([second])
        assert _of(parked, tenant) == [second]

    def test_parked_items_are_listed_by_work_key(self, parked: ParkedItems, tenant: str) -> None:
        items = [
            _parked(tenant, name, generation=generation)
            for name in ("b", "a", "Z", "\uffee", "\U0001f697")
            for generation in ("listing-g2", "listing-g1")
        ]
        parked.park(items)
        found = _of(parked, tenant)
        assert found == sorted(items, key=lambda one: one.work)
        assert [one.work for one in found] == sorted(one.work for one in found)

    def test_the_list_is_cut_at_the_limit(self, parked: ParkedItems, tenant: str) -> None:
        parked.park([_parked(tenant, name) for name in "dbca"])
        everything = parked.all()
        assert parked.all(limit=3) == everything[:3]
        assert len(parked.all(limit=3)) == 3

    def test_pages_go_on_after_the_last_key(self, parked: ParkedItems, tenant: str) -> None:
        items = [
            _parked(tenant, name, generation=generation)
            for name in "bca"
            for generation in ("listing-g2", "listing-g1")
        ]
        parked.park(items)
        ordered = sorted(items, key=lambda one: one.work)
        found: list[ParkedItem] = []
        while page := parked.all(limit=4, after=found[-1].work if found else ordered[0].work):
            found += [one for one in page if one.work.key.tenant == tenant]
        assert found == ordered[1:]

    def test_parked_ones_are_told_by_their_keys(self, parked: ParkedItems, tenant: str) -> None:
        items = [_parked(tenant, name) for name in "abc"]
        absent = [_parked(tenant, "d").work, _parked(tenant, "a", generation="other").work]
        assert parked.get([one.work for one in items]) == []
        parked.park(items)
        assert parked.get([items[2].work, *absent, items[0].work]) == [items[2], items[0]]
        parked.free([items[2].work])
        assert parked.get([items[2].work, items[0].work]) == [items[0]]
        assert parked.get([]) == []

    def test_an_item_is_parked_per_generation(self, parked: ParkedItems, tenant: str) -> None:
        one, other = (_parked(tenant, "a", generation=name) for name in ("listing-g1", "listing-g2"))
        parked.park([one, other])
        parked.free([one.work])
        assert _of(parked, tenant) == [other]

    def test_equal_concatenations_are_parked_apart(self, parked: ParkedItems, tenant: str) -> None:
        items = [
            _parked(tenant, "a:b", generation="c"),
            _parked(tenant, "a", generation="b:c"),
            _parked(tenant, "a/b", generation="c"),
            _parked(tenant + "x", "y", generation="c"),
            _parked(tenant, "xy", generation="c"),
        ]
        parked.park(items)
        ours = [one for one in parked.all() if one.work.key.tenant.startswith(tenant)]
        parked.free([one.work for one in items])
        assert ours == sorted(items, key=lambda one: one.work)
        assert _of(parked, tenant) == []

    def test_freed_items_are_forgotten_and_the_rest_stays(self, parked: ParkedItems, tenant: str) -> None:
        items = [_parked(tenant, name) for name in "abc"]
        parked.park(items)
        parked.free([items[0].work, items[2].work])
        assert _of(parked, tenant) == [items[1]]

    def test_freeing_unknown_ones_changes_nothing(self, parked: ParkedItems, tenant: str) -> None:
        one = _parked(tenant, "a")
        parked.park([one])
        parked.free([_parked(tenant, "b").work, _parked(tenant, "a", generation="other").work])
        assert _of(parked, tenant) == [one]

    def test_nothing_to_park_or_free_is_fine(self, parked: ParkedItems, tenant: str) -> None:
        parked.park([])
        parked.free([])
        assert _of(parked, tenant) == []

    def test_a_freed_item_can_be_parked_again(self, parked: ParkedItems, tenant: str) -> None:
        one = _parked(tenant, "a", revision=5)
        parked.park([one])
        parked.free([one.work])
        again = replace(one, revision=3)
        parked.park([again])
        assert _of(parked, tenant) == [again]


def _parked(
    tenant: str, name: str, generation: str = "listing-g1", revision: int = 4, error: str = "Boom"
) -> ParkedItem:
    return ParkedItem(WorkKey(ItemKey(tenant, "listing", name), generation), revision, 6, error, 100.25)


def _of(parked: ParkedItems, tenant: str) -> list[ParkedItem]:
    return [one for one in parked.all() if one.work.key.tenant == tenant]
