"""What every item source owes, written once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from domain.errors import InvalidItem, SourceError
from domain.ports import ItemSource

Documents = list[dict[str, str]]
#: Makes a source over these documents, its ids in the field ``sku``.
Build = Callable[[Documents], ItemSource]

#: More than one page of any source.
MANY = 1_203


def cars(count: int) -> Documents:
    return [{"sku": f"car-{number}", "title": f"Car {number}"} for number in range(count)]


def seconds(number: int) -> int:
    """Since 1970; some share one, and a greater number may have an earlier one."""
    return 1_767_225_600 + number * 7 % 400


def dated(count: int) -> Documents:
    """Cars with a date in the field ``told``."""
    moments = [datetime.fromtimestamp(seconds(number), UTC).isoformat() for number in range(count)]
    return [one | {"told": moment} for one, moment in zip(cars(count), moments, strict=True)]


def by_id(source: ItemSource) -> dict[str, Mapping[str, object]]:
    """The documents of a scan by their id, none of them broken, none twice."""
    found: dict[str, Mapping[str, object]] = {}
    for _, document in source.scan():
        assert isinstance(document, Mapping)
        assert document["sku"] not in found
        found[str(document["sku"])] = document
    return found


class SourceContract:
    """Inherit it and give the fixtures `source_of` and `nowhere`."""

    def test_every_document_comes_once(self, source_of: Build) -> None:
        found = by_id(source_of(cars(MANY)))
        assert {name: document["title"] for name, document in found.items()} == {
            document["sku"]: document["title"] for document in cars(MANY)
        }

    def test_places_differ(self, source_of: Build) -> None:
        assert len({place for place, _ in source_of(cars(25)).scan()}) == 25

    def test_the_count_is_right_or_unknown(self, source_of: Build) -> None:
        assert source_of(cars(25)).count() in (25, None)

    def test_it_can_be_scanned_again(self, source_of: Build) -> None:
        source = source_of(cars(25))
        next(iter(source.scan()))
        assert by_id(source) == by_id(source)

    def test_fetch_gives_what_there_is(self, source_of: Build) -> None:
        found = source_of(cars(MANY)).fetch(["car-7", "car-none", f"car-{MANY - 1}", "car-7"])
        assert sorted((name, document["title"]) for name, document in found) == [
            (f"car-{MANY - 1}", f"Car {MANY - 1}"),
            ("car-7", "Car 7"),
        ]

    def test_fetch_gives_every_tenants_document_of_an_id(self, source_of: Build) -> None:
        shared = [{"sku": "shared", "title": f"Car of {tenant}"} for tenant in ("north", "south", "east")]
        found = source_of([*cars(3), *shared]).fetch(["shared", "car-1"])
        assert sorted((name, document["title"]) for name, document in found) == [
            ("car-1", "Car 1"),
            ("shared", "Car of east"),
            ("shared", "Car of north"),
            ("shared", "Car of south"),
        ]

    def test_fetching_nothing_is_nothing(self, source_of: Build) -> None:
        assert source_of(cars(3)).fetch([]) == []

    def test_changed_documents_come_oldest_first_and_each_once(self, source_of: Build) -> None:
        documents = dated(MANY)
        found = list(source_of(documents).changed("told", -math.inf))
        assert [at for _, at, _ in found] == sorted(seconds(number) * 1_000 for number in range(MANY))
        assert sorted(str(one["sku"]) for _, _, one in found if isinstance(one, Mapping)) == sorted(
            one["sku"] for one in documents
        )
        assert len({place for place, _, _ in found}) == MANY

    @pytest.mark.parametrize("later", [0, 1])
    def test_changed_since_takes_what_is_at_that_moment_and_after_it(self, source_of: Build, later: int) -> None:
        since = seconds(7) + later
        found = source_of(dated(25)).changed("told", since * 1_000)
        assert {str(one["sku"]) for _, _, one in found if isinstance(one, Mapping)} == {
            f"car-{number}" for number in range(25) if seconds(number) >= since
        }

    def test_nothing_has_changed_since_the_future(self, source_of: Build) -> None:
        assert list(source_of(dated(25)).changed("told", 4e12)) == []

    def test_what_has_no_date_is_told(self, source_of: Build) -> None:
        found = list(source_of([*dated(3), *cars(1)]).changed("told", -math.inf))
        assert [at for _, at, _ in found if at > 0] == sorted(seconds(number) * 1_000 for number in range(3))
        [told] = [one for _, at, one in found if at == -math.inf]
        assert isinstance(told, InvalidItem)
        assert "told" in told.place

    def test_values_arrive_as_they_are(self, source_of: Build) -> None:
        title = 'Ünïcode \N{AUTOMOBILE}, "quoted"; with\nlines\tand | bars'
        (document,) = by_id(source_of([{"sku": "one", "title": title}])).values()
        assert document["title"] == title

    def test_it_says_where_it_reads(self, source_of: Build) -> None:
        assert source_of(cars(1)).name

    def test_a_source_that_is_not_there_is_told(self, nowhere: Callable[[], ItemSource]) -> None:
        with pytest.raises(SourceError) as told:
            list(nowhere().scan())
        assert told.value.fix
