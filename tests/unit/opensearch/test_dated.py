"""Changed documents of the host's index: every way to write a date, shards, aliases; against a real node."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import InvalidItem, SourceError
from plugin.opensearch.dated import changed_body
from plugin.opensearch.source import OpenSearchSource

pytestmark = pytest.mark.opensearch

#: More than two pages of 500, several of one date on every shard.
COUNT = 1_100
BEGAN = 1_767_225_600


def moment(number: int) -> datetime:
    return datetime.fromtimestamp(BEGAN + number // 40, UTC)


WRITTEN: dict[str, Callable[[int], Any]] = {
    "iso": lambda number: moment(number).isoformat(),
    "millis": lambda number: int(moment(number).timestamp() * 1_000),
    "second": lambda number: int(moment(number).timestamp()),
    "german": lambda number: moment(number).strftime("%d.%m.%Y %H:%M:%S"),
    "nanos": lambda number: moment(number).strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
    "number": lambda number: int(moment(number).timestamp() * 1_000),
    "several": lambda number: ["2001-01-01", moment(number).isoformat()],
}
PROPERTIES: dict[str, Any] = {
    "iso": {"type": "date"},
    "millis": {"type": "date"},
    "second": {"type": "date", "format": "epoch_second"},
    "german": {"type": "date", "format": "dd.MM.yyyy HH:mm:ss"},
    "nanos": {"type": "date_nanos"},
    "number": {"type": "long"},
    "several": {"type": "date"},
    "word": {"type": "keyword"},
    "small": {"type": "integer"},
}


@pytest.fixture(scope="module")
def cars(opensearch_url: str) -> Iterator[Any]:
    """A source over an alias of two indexes: cars on three shards, and vans of which only one has dates."""
    from plugin.opensearch.client import connect, dumped

    client = connect(opensearch_url)
    settings = {"number_of_shards": 3, "number_of_replicas": 0}
    body = {"settings": settings, "mappings": {"properties": PROPERTIES}, "aliases": {"dated-stock": {}}}
    client.indices.create(index="dated-cars", body=body)
    client.indices.create(index="dated-bare", body={"aliases": {"dated-stock": {}}})
    lines: list[Any] = []
    for number in reversed(range(COUNT)):
        lines += [{"index": {"_index": "dated-cars", "_id": f"c{number}"}}]
        lines += [{name: write(number) for name, write in WRITTEN.items()} | {"word": "x", "small": 1}]
    lines += [{"index": {"_index": "dated-bare", "_id": "bare"}}, {"sku": "bare"}]
    client.bulk(body=b"".join(dumped("line", line) + b"\n" for line in lines), refresh=True)
    yield OpenSearchSource(client, "dated-stock", "sku")
    client.indices.delete(index=["dated-cars", "dated-bare"])
    client.close()


@pytest.mark.parametrize("field", WRITTEN)
def test_every_way_to_write_a_date_gives_each_document_once_in_order(cars: Any, field: str) -> None:
    found = [(at, one["sku"]) for _, at, one in cars.changed(field, 0.0)]
    past = 123 if field == "nanos" else 0
    assert [at for at, _ in found] == [moment(number).timestamp() * 1_000 + past for number in range(COUNT)]
    assert sorted(name for _, name in found) == sorted(f"c{number}" for number in range(COUNT))


@pytest.mark.parametrize("field", WRITTEN)
def test_since_a_moment(cars: Any, field: str) -> None:
    since = moment(800).timestamp() * 1_000
    assert {one["sku"] for _, _, one in cars.changed(field, since)} == {f"c{number}" for number in range(800, COUNT)}


def test_documents_without_the_date_are_told_once_in_one(cars: Any) -> None:
    *dated, (_, at, told) = cars.changed("iso", -math.inf)
    assert len(dated) == COUNT
    assert (at, isinstance(told, InvalidItem)) == (-math.inf, True)
    assert (told.place, told.got) == ("OpenSearch index dated-stock, field iso", "1 documents without it")


@pytest.mark.parametrize(("field", "got"), [("word", "keyword"), ("small", "integer"), ("updated", "no such field")])
def test_what_is_no_date_is_refused_with_those_there_are(cars: Any, field: str, got: str) -> None:
    with pytest.raises(SourceError) as told:
        list(cars.changed(field, 0.0))
    assert (told.value.place, told.value.got) == (f"OpenSearch index dated-stock, field {field}", got)
    assert "german, iso, millis, nanos, second" in told.value.fix


def test_an_index_that_is_not_there_is_told(cars: Any) -> None:
    source = OpenSearchSource(cars._client, "dated-nowhere", "sku")
    with pytest.raises(SourceError, match="dated-nowhere"):
        list(source.changed("iso", 0.0))


def test_what_is_asked() -> None:
    sort = {"order": "asc", "mode": "max", "unmapped_type": "date", "numeric_type": "date"}
    assert changed_body("told", 7.9, dates=True) == {
        "query": {"range": {"told": {"gte": 7, "format": "epoch_millis"}}},
        "sort": [{"told": sort}, {"_doc": "asc"}],
    }
    assert changed_body("told", -math.inf, dates=False) == {
        "query": {"exists": {"field": "told"}},
        "sort": [{"told": {"order": "asc", "mode": "max", "unmapped_type": "long"}}, {"_doc": "asc"}],
    }
