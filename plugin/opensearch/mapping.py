"""Names and mappings of our indexes: from a generation to the body that creates its index."""

from __future__ import annotations

import re
from typing import Any, Final

from domain.errors import ConfigurationError
from domain.releases import Generation
from domain.vectors import DIMENSIONS

#: Layout of the documents; a generation of another layout is not read.
SCHEMA_VERSION: Final = 1
#: Key of `_meta` under which the generation is described.
META: Final = "sidetower"
ANALYZER: Final = "sidetower_text"
RELEASES: Final = "releases"
PARKED: Final = "parked"
CHECKPOINTS: Final = "checkpoints"
_RESERVED: Final = (RELEASES, PARKED, CHECKPOINTS)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_KEYWORD: Final = {"type": "keyword"}
_STORED_ONLY: Final = {"type": "object", "enabled": False}
_FILTER_TYPES: Final = {"keyword": "keyword", "number": "double", "boolean": "boolean", "date": "double"}


def index_name(prefix: str, generation: str) -> str:
    """Name of the generation's index.

    Raises:
        ConfigurationError: not a name; wildcards, above all, never reach the server.
    """
    if not _NAME.fullmatch(generation) or generation in _RESERVED or generation.endswith("-write"):
        raise ConfigurationError(
            "name of the generation",
            expected="lower-case letters, digits, - and _, not ending in -write, not a reserved word",
            got=repr(generation),
            fix="Name it like listing-g1.",
        )
    return prefix + generation


def write_alias(index: str) -> str:
    """The only door for writes: it vanishes with the index, so that a late writer makes no index by accident."""
    return f"{index}-write"


def index_body(generation: Generation, index: str) -> dict[str, Any]:
    """Settings, mapping and write alias of a generation's index."""
    return {
        "settings": {
            "index": {
                "knn": True,
                "number_of_shards": 1,
                # None on a single node, one as soon as there is a second.
                "auto_expand_replicas": "0-1",
                "refresh_interval": "1s",
            },
            "analysis": _analysis(),
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {META: described(generation)},
            # vector_b64 holds the same numbers, exact and at a third of the size.
            "_source": {"excludes": ["vector"]},
            "properties": _properties(generation),
        },
        "aliases": {write_alias(index): {"is_write_index": True}},
    }


def described(generation: Generation) -> dict[str, Any]:
    """The generation as `_meta` keeps it; pairs, because their order counts."""
    audience = {} if generation.audience is None else {"audience": generation.audience}
    return {
        "schema": SCHEMA_VERSION,
        "name": generation.name,
        "kind": generation.kind,
        "space": generation.space,
        "text_weights": [[name, weight] for name, weight in generation.text_weights.items()],
        "filter_types": [[name, kind] for name, kind in generation.filter_types.items()],
        "created_at": generation.created_at,
        **audience,
    }


def generation_of(mapping: dict[str, Any]) -> Generation | None:
    """The generation that `described` wrote into this mapping; None when it is not one of ours."""
    meta = mapping.get("_meta", {}).get(META)
    if not meta or meta["schema"] != SCHEMA_VERSION:
        return None
    return Generation(
        name=meta["name"],
        kind=meta["kind"],
        space=meta["space"],
        text_weights=dict(meta["text_weights"]),
        filter_types=dict(meta["filter_types"]),
        created_at=meta["created_at"],
        audience=meta.get("audience"),
    )


def _analysis() -> dict[str, Any]:
    """Runs of letters and digits, lower-cased, without diacritics, stemmed; no stop words are taken out."""
    return {
        # A decomposed letter is one letter: without this its combining mark would split the word.
        "char_filter": {"marks": {"type": "pattern_replace", "pattern": "[\\u0300-\\u036f]+", "replacement": ""}},
        "tokenizer": {"words": {"type": "pattern", "pattern": "[^\\p{L}\\p{N}]+"}},
        # Lucene refuses a document with a term above 32,766 bytes, such as an embedded file.
        "filter": {"shortened": {"type": "truncate", "length": 255}},
        "analyzer": {
            ANALYZER: {
                "type": "custom",
                "char_filter": ["marks"],
                "tokenizer": "words",
                "filter": ["lowercase", "asciifolding", "shortened", "porter_stem"],
            }
        },
    }


def _properties(generation: Generation) -> dict[str, Any]:
    filters = {name: {"type": _filter_type(name, kind)} for name, kind in generation.filter_types.items()}
    return {
        "tenant": _KEYWORD,
        "id": _KEYWORD,
        "revision": {"type": "long"},
        "audience": _KEYWORD,
        "content_hash": {"type": "keyword", "index": False, "doc_values": False},
        "vector_state": _KEYWORD,
        "space": _KEYWORD,
        "inputs_hash": {"type": "keyword", "index": False, "doc_values": False},
        "written_at": {"type": "double"},
        "text": {"properties": {name: {"type": "text", "analyzer": ANALYZER} for name in generation.text_weights}},
        "filter": {"properties": filters},
        "category": _STORED_ONLY,
        "number": _STORED_ONLY,
        "signal": _STORED_ONLY,
        "vector_b64": {"type": "binary"},
        "vector": {
            "type": "knn_vector",
            "dimension": DIMENSIONS,
            "method": {
                "name": "hnsw",
                "engine": "lucene",
                "space_type": "innerproduct",
                "parameters": {"m": 16, "ef_construction": 100},
            },
        },
    }


def _filter_type(name: str, kind: str) -> str:
    if kind not in _FILTER_TYPES:
        raise ConfigurationError(
            f"filter {name}", expected=", ".join(_FILTER_TYPES), got=repr(kind), fix="Correct sidetower.toml."
        )
    return _FILTER_TYPES[kind]
