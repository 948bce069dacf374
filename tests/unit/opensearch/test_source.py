"""The host's index as an item source, and its description; against a real node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain.errors import InvalidItem, NotFound, SourceError
from plugin.opensearch.inspect import describe_index
from plugin.opensearch.source import OpenSearchSource

pytestmark = pytest.mark.opensearch

#: More than two pages of 500.
COUNT = 1_100
SHARDS = 3


@pytest.fixture(scope="module")
def cars(opensearch_url: str) -> Iterator[str]:
    """An index of the host on three shards: numbered cars, every tenth with its number in the document alone."""
    from plugin.opensearch.client import connect

    client = connect(opensearch_url)
    properties = {
        "number": {"type": "long"},
        "sku": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        "title": {"type": "text"},
        "seller": {"properties": {"name": {"type": "keyword"}, "city": {"properties": {"zip": {"type": "keyword"}}}}},
    }
    body = {
        "settings": {"number_of_shards": SHARDS, "number_of_replicas": 0},
        "mappings": {"properties": properties},
        "aliases": {"host-stock": {}},
    }
    client.indices.create(index="host-cars", body=body)
    lines: list[Any] = []
    for number in range(COUNT):
        lines.append({"index": {"_index": "host-cars", "_id": f"id-{number}"}})
        lines.append({"number": number, "sku": f"SKU {number}", "title": f"Car {number}", "seller": {"name": "Ann"}})
    client.bulk(body="\n".join(map(_json, lines)) + "\n", refresh=True)
    client.indices.create(index="host-vans", body={"mappings": {"properties": properties}, "aliases": body["aliases"]})
    client.index(
        index="host-vans", id="id-van", body={"number": 5_000, "sku": "VAN"}, routing="somewhere", refresh=True
    )
    yield "host-cars"
    client.indices.delete(index=["host-cars", "host-vans"])
    client.close()


def _json(line: Any) -> str:
    import orjson

    return orjson.dumps(line).decode()


def test_every_document_comes_once_with_its_place(client: Any, cars: str) -> None:
    source = OpenSearchSource(client, cars, "_id")
    found = dict(source.scan())
    assert set(found) == {f"host-cars/_doc/id-{number}" for number in range(COUNT)}
    assert len(list(source.scan())) == COUNT == source.count()
    assert found["host-cars/_doc/id-7"] == {
        "_id": "id-7",
        "number": 7,
        "sku": "SKU 7",
        "title": "Car 7",
        "seller": {"name": "Ann"},
    }


def test_an_alias_of_several_indexes_is_read_whole(client: Any, cars: str) -> None:
    source = OpenSearchSource(client, "host-stock", "number")
    places = [place for place, _ in source.scan()]
    assert len(places) == len(set(places)) == COUNT + 1 == source.count()
    assert "host-vans/_doc/id-van" in places


def test_a_scan_sees_the_moment_it_began(client: Any, cars: str) -> None:
    scan = OpenSearchSource(client, cars, "_id").scan()
    next(scan)
    client.index(index=cars, id="late", body={"number": -1}, refresh=True)
    try:
        assert len(list(scan)) == COUNT - 1
    finally:
        client.delete(index=cars, id="late", refresh=True)


def test_a_scan_given_up_leaves_nothing_open(client: Any, cars: str) -> None:
    scan = OpenSearchSource(client, cars, "_id").scan()
    next(scan)
    assert len(client.get_all_pits()["pits"]) == 1
    scan.close()  # type: ignore[attr-defined]
    assert client.get_all_pits().get("pits", []) == []


@pytest.mark.parametrize(
    ("field", "ids", "found"),
    [
        ("_id", ["id-7", "id-8", "nowhere", "id-7"], {"id-7": 7, "id-8": 8}),
        ("number", ["7", "1099", "9999", "seven", "id-7"], {"7": 7, "1099": 1_099}),
        ("sku", ["SKU 7", "SKU", "sku 7"], {"SKU 7": 7}),
        ("title", ["id-7"], {}),  # the documents have titles of their own
    ],
)
def test_documents_are_fetched_by_the_id_field(
    client: Any, cars: str, field: str, ids: list[str], found: dict[str, int]
) -> None:
    source = OpenSearchSource(client, cars, field)
    assert [(name, document["number"]) for name, document in source.fetch(ids)] == list(found.items())


@pytest.mark.parametrize(("index", "field"), [("host-vans", "_id"), ("host-stock", "_id"), ("host-*", "_id")])
def test_fetch_finds_routed_documents_and_those_behind_an_alias(client: Any, cars: str, index: str, field: str) -> None:
    [(name, document)] = OpenSearchSource(client, index, field).fetch(["id-van"])
    assert (name, document["number"]) == ("id-van", 5_000)


def test_fetch_of_more_than_a_page(client: Any, cars: str) -> None:
    asked = [str(number) for number in range(COUNT)]
    assert [name for name, _ in OpenSearchSource(client, cars, "number").fetch(asked)] == asked


def test_fetch_waits_for_no_refresh(client: Any, cars: str) -> None:
    client.index(index=cars, id="fresh", body={"number": 1_000_000})
    try:
        [(_, document)] = OpenSearchSource(client, cars, "_id").fetch(["fresh"])
        assert document["number"] == 1_000_000
    finally:
        client.delete(index=cars, id="fresh", refresh=True)


def test_fetch_does_not_bring_back_what_was_deleted_a_moment_ago(client: Any, cars: str) -> None:
    client.index(index=cars, id="brief", body={"number": 1_000_001}, refresh=True)
    client.delete(index=cars, id="brief")
    assert OpenSearchSource(client, cars, "_id").fetch(["brief", "id-7"]) == [
        ("id-7", OpenSearchSource(client, cars, "_id").fetch(["id-7"])[0][1])
    ]


def test_an_index_that_is_not_there_is_told(client: Any, cars: str) -> None:
    source = OpenSearchSource(client, "host-nowhere", "_id")
    for read in (source.count, lambda: list(source.scan()), lambda: source.fetch(["id-7"])):
        with pytest.raises(SourceError, match="host-nowhere"):
            read()
    with pytest.raises(NotFound, match="host-nowhere"):
        describe_index(client, "host-nowhere")


def test_a_document_without_its_source_is_told_in_its_place(client: Any, prefix: str) -> None:
    index = f"{prefix}blind"
    client.indices.create(index=index, body={"mappings": {"_source": {"enabled": False}}})
    client.index(index=index, id="a", body={"title": "x"}, refresh=True)
    ((place, found),) = OpenSearchSource(client, index, "_id").scan()
    assert place == f"{index}/_doc/a"
    assert isinstance(found, InvalidItem)


def test_an_index_is_described_by_fields_and_documents(client: Any, cars: str) -> None:
    properties, documents = describe_index(client, cars, sample=50)
    assert properties == {
        "number": "long",
        "sku": "text",
        "title": "text",
        "seller.name": "keyword",
        "seller.city.zip": "keyword",
    }
    assert len(documents) == 50
    assert {document["_id"] for document in documents} == {f"id-{document['number']}" for document in documents}
    # Spread: fifty of 1,100 in a row would span 50 numbers.
    numbers = [document["number"] for document in documents]
    assert max(numbers) - min(numbers) > COUNT / 2


def test_an_empty_index_is_described(client: Any, prefix: str) -> None:
    client.indices.create(index=f"{prefix}empty")
    assert describe_index(client, f"{prefix}empty") == ({}, [])
