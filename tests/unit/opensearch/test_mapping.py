from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import ConfigurationError
from domain.releases import Generation
from plugin.opensearch.mapping import described, generation_of, index_body, index_name, write_alias

GENERATION = Generation(
    name="listing-g1",
    kind="listing",
    space="abc",
    text_weights={"title": 3.0, "body": 1.0},
    filter_types={"make": "keyword", "price": "number", "electric": "boolean", "listed": "date"},
    created_at=12.5,
)


def test_the_index_of_a_generation() -> None:
    body = index_body(GENERATION, "sidetower-listing-g1")
    assert body["settings"]["index"] == {
        "knn": True,
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "1s",
    }
    assert body["settings"]["analysis"]["analyzer"] == {
        "sidetower_text": {
            "type": "custom",
            "char_filter": ["marks"],
            "tokenizer": "words",
            "filter": ["lowercase", "asciifolding", "shortened", "porter_stem"],
        }
    }
    assert body["settings"]["analysis"]["tokenizer"]["words"]["pattern"] == r"[^\p{L}\p{N}]+"
    assert body["aliases"] == {"sidetower-listing-g1-write": {"is_write_index": True}}
    assert body["mappings"]["dynamic"] == "strict"
    assert body["mappings"]["_source"] == {"excludes": ["vector"]}


def test_the_fields_of_a_generation() -> None:
    keyword, hidden = {"type": "keyword"}, {"type": "keyword", "index": False, "doc_values": False}
    stored_only = {"type": "object", "enabled": False}
    text = {"type": "text", "analyzer": "sidetower_text"}
    assert index_body(GENERATION, "x")["mappings"]["properties"] == {
        "tenant": keyword,
        "id": keyword,
        "revision": {"type": "long"},
        "audience": keyword,
        "content_hash": hidden,
        "vector_state": keyword,
        "space": keyword,
        "inputs_hash": hidden,
        "written_at": {"type": "double"},
        "text": {"properties": {"title": text, "body": text}},
        "filter": {
            "properties": {
                "make": keyword,
                "price": {"type": "double"},
                "electric": {"type": "boolean"},
                "listed": {"type": "double"},
            }
        },
        "category": stored_only,
        "number": stored_only,
        "signal": stored_only,
        "vector_b64": {"type": "binary"},
        "vector": {
            "type": "knn_vector",
            "dimension": 128,
            "method": {
                "name": "hnsw",
                "engine": "lucene",
                "space_type": "innerproduct",
                "parameters": {"m": 16, "ef_construction": 100},
            },
        },
    }


def test_the_mapping_describes_its_generation() -> None:
    mapping = index_body(GENERATION, "x")["mappings"]
    assert generation_of(mapping) == GENERATION
    assert mapping["_meta"] == {"sidetower": described(GENERATION)}


@pytest.mark.parametrize("audience", ["", "visible_to", None])
def test_the_audience_field_is_described_where_it_is_known(audience: str | None) -> None:
    made = replace(GENERATION, audience=audience)
    assert generation_of(index_body(made, "x")["mappings"]) == made
    assert described(made).get("audience", "not there") == ("not there" if audience is None else audience)


@pytest.mark.parametrize("mapping", [{}, {"_meta": {"owner": "host"}}, {"_meta": {"sidetower": {"schema": 99}}}])
def test_another_mapping_describes_none(mapping: dict[str, object]) -> None:
    assert generation_of(mapping) is None


def test_names_carry_the_prefix() -> None:
    assert index_name("sidetower-", "listing-g1") == "sidetower-listing-g1"
    assert write_alias("sidetower-listing-g1") == "sidetower-listing-g1-write"


@pytest.mark.parametrize(
    "name", ["*", "a*", "a,b", "-a", "_all", "", "Listing", "a/b", "releases", "parked", "a-write"]
)
def test_a_name_that_means_something_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="name of the generation"):
        index_name("sidetower-", name)


def test_an_unknown_filter_type_is_refused() -> None:
    wrong = Generation("a", "listing", "abc", {"title": 1.0}, {"price": "money"})
    with pytest.raises(ConfigurationError, match="money"):
        index_body(wrong, "x")
