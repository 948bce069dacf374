"""Items told by their ids alone: read anew, each outcome told, neighbours go through."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import Kind
from domain.errors import Busy, InvalidQuery, Unavailable
from domain.items import ItemKey
from domain.ports import ItemSource
from domain.versions import ItemOutcome, Outcome
from indexer.changed import PAGE, ChangedItems, ChangedReport
from plugin.files.opening import open_file_source
from tests.indexer.conftest import KIND, House
from tests.support.failing import AWAY, Failing

DATED = Kind(KIND, "id", {"title": 3.0}, revision="version", tenant="shop", number=("price",))
UNDATED = Kind(KIND, "id", {"title": 3.0}, number=("price",))

Document = dict[str, Any]


def car(name: str, title: str = "Red car", version: int = 1, **fields: Any) -> Document:
    return {"id": name, "title": title, "version": version, "shop": "a"} | fields


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The file that stands for the host's own store."""
    return tmp_path / "site.jsonl"


def source(site: Path, documents: list[Document]) -> ItemSource:
    site.write_text("".join(json.dumps(one) + "\n" for one in documents))
    return open_file_source(site, "id")


def changed(house: House, kept: ItemSource, kind: Kind = DATED) -> ChangedItems:
    return ChangedItems(kept, kind, house.live, house.clock)


def key(name: str, tenant: str = "a") -> ItemKey:
    return ItemKey(tenant, KIND, name)


def revisions(house: House) -> dict[str, int]:
    house.engine.refresh("listing-g1")
    return {one.key.id: one.change.revision for one in house.engine.scan("listing-g1")}


def test_told_items_are_read_and_written_and_others_are_not(house: House, site: Path) -> None:
    house.begin()
    kept = source(site, [car("1", version=7), car("2"), car("3", version=2**60)])
    assert changed(house, kept).take(["1", "3", "1"]) == ChangedReport(written=2)
    assert revisions(house) == {"1": 7, "3": 2**60}


def test_an_id_without_a_document_is_told_and_changes_nothing(
    house: House, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.begin()
    changed(house, source(site, [car("1"), car("2")])).take(["1", "2"])
    with caplog.at_level(logging.WARNING):
        report = changed(house, source(site, [car("2", version=2)])).take(["1", "2", "3"])
    assert (report.written, report.missing) == (1, ["1", "3"])
    assert "site.jsonl has no 1, 3, of 3 asked for" in caplog.text
    assert revisions(house) == {"1": 1, "2": 2}


def test_a_broken_document_is_told_with_its_place_and_its_neighbours_go_through(
    house: House, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.begin()
    kept = source(site, [car("1"), car("2", price="cheap"), car("3"), car("4", shop="b")])
    with caplog.at_level(logging.WARNING):
        report = changed(house, kept).take(["1", "2", "3", "4"], tenant="a")
    assert (report.written, len(report.failed)) == (2, 2)
    assert "2, field price: expected a number, got 'cheap'" in caplog.text
    assert "4, field shop: expected the caller's tenant 'a', got 'b'" in caplog.text
    assert revisions(house) == {"1": 1, "3": 1}


def test_newest_wins_and_a_conflict_is_told(house: House, site: Path, caplog: pytest.LogCaptureFixture) -> None:
    house.begin()
    changed(house, source(site, [car("1", version=5), car("2", version=5)])).take(["1", "2"])
    with caplog.at_level(logging.WARNING):
        report = changed(house, source(site, [car("1", version=4), car("2", "Blue car", 5)])).take(["1", "2"])
    assert (report.stale, report.written) == (1, 0)
    assert report.failed == ["a/listing/2: the same revision is stored with other content"]
    assert report.failed[0] in caplog.text


def test_without_a_revision_the_time_before_reading_is_one(house: House, site: Path) -> None:
    house.begin()
    kept = source(site, [{"id": "1", "title": "Red car"}])

    class Slow:
        """Answers a minute later."""

        name = kept.name

        def fetch(self, ids: list[str]) -> Any:
            house.clock.now += 60
            return kept.fetch(ids)

    began = house.clock.now
    report = ChangedItems(Slow(), UNDATED, house.live, house.clock).take(["1"], "a")  # type: ignore[arg-type]
    assert report.written == 1
    assert revisions(house) == {"1": began * 1000}


def test_whose_they_are_has_to_be_told_by_somebody(house: House, site: Path) -> None:
    house.begin()
    report = changed(house, source(site, [{"id": "1", "title": "Red"}]), UNDATED).take(["1"])
    assert (report.written, len(report.failed)) == (0, 1)
    assert "tenant" in report.failed[0]


def test_tenants_may_share_ids(house: House, site: Path) -> None:
    house.begin()
    kept = source(site, [car("1"), car("1", "Blue car", 2, shop="b"), car("2", shop="b")])
    assert changed(house, kept).take(["1", "2"]) == ChangedReport(written=3)
    stored = house.engine.read("listing-g1", [key("1"), key("1", "b"), key("2", "b")])
    assert {one.tenant: found.change.revision for one, found in stored.items() if one.id == "1"} == {"a": 1, "b": 2}


def test_a_named_tenant_gets_its_own_of_a_shared_id(house: House, site: Path) -> None:
    house.begin()
    kept = source(site, [car("1"), car("1", "Blue car", 2, shop="b")])
    assert changed(house, kept).take(["1"], "a") == ChangedReport(written=1)
    assert list(house.engine.read("listing-g1", [key("1"), key("1", "b")])) == [key("1")]


def test_ids_may_be_numbers_and_many(house: House, site: Path) -> None:
    house.begin()
    count = PAGE + 1
    kept = source(site, [car(str(number)) for number in range(count)])
    told: list[Any] = list(range(count))
    assert changed(house, kept).take(told).written == count


@pytest.mark.parametrize("ids", ["17", None, {"1": 2}, [["1"]], [1.5]])
def test_what_is_no_list_of_ids_is_refused(house: House, site: Path, ids: Any) -> None:
    house.begin()
    with pytest.raises(InvalidQuery, match="a list of ids"):
        changed(house, source(site, [car("1")])).take(ids)


def test_back_pressure_asks_for_all_of_them_again(house: House, site: Path) -> None:
    house.begin()

    class Full:
        """Takes the first item and is full then."""

        def apply(self, changes: Any) -> list[ItemOutcome]:
            [first] = house.live.apply(changes[:1])
            full = [ItemOutcome(one.key, Outcome.FAILED, "the disk is full", busy=True) for one in changes[1:]]
            return [first, *full]

    kept = source(site, [car("1"), car("2")])
    with pytest.raises(Busy, match="the disk is full"):
        ChangedItems(kept, DATED, Full()).take(["1", "2"])  # type: ignore[arg-type]
    assert changed(house, kept).take(["1", "2"]).written == 2


def test_a_source_that_is_away_asks_for_all_of_them_again(house: House, site: Path) -> None:
    house.begin()
    kept = Failing(source(site, [car("1")]), fetch=AWAY)
    with pytest.raises(Unavailable):
        changed(house, kept).take(["1"])
    kept.failing.clear()
    assert changed(house, kept).take(["1"]).written == 1


def test_a_document_that_is_marked_as_removed_is_removed(house: House, site: Path) -> None:
    house.begin()
    marked = replace(DATED, removed="deleted")
    changed(house, source(site, [car("1"), car("2")]), marked).take(["1", "2"])
    kept = source(site, [car("1", version=2, deleted="2026-01-31"), car("2", version=2, deleted=None)])
    assert changed(house, kept, marked).take(["1", "2"]).written == 2
    house.engine.refresh("listing-g1")
    assert {one.key.id: one.item is None for one in house.engine.scan("listing-g1")} == {"1": True, "2": False}
