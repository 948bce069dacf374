"""What every item source owes, written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from domain.errors import SourceError
from domain.ports import ItemSource

Documents = list[dict[str, str]]
#: Makes a source over these documents, its ids in the field ``sku``.
Build = Callable[[Documents], ItemSource]

#: More than one page of any source.
MANY = 1_203


def cars(count: int) -> Documents:
    return [{"sku": f"car-{number}", "title": f"Car {number}"} for number in range(count)]


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
        assert {name: document["title"] for name, document in found.items()} == {
            "car-7": "Car 7",
            f"car-{MANY - 1}": f"Car {MANY - 1}",
        }

    def test_fetching_nothing_is_nothing(self, source_of: Build) -> None:
        assert source_of(cars(3)).fetch([]) == {}

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
