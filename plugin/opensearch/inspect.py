"""What the host's index looks like: its fields and a sample of its documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opensearchpy import OpenSearch

from plugin.opensearch.client import told

#: The same sample on every call, as long as the index is the same.
_SEED = 7


def describe_index(client: OpenSearch, index: str, sample: int = 200) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Fields and documents of an index, to guess the roles of the fields from.

    Args:
        client: from `connect`.
        index: name of an index, an alias or a pattern.
        sample: how many documents, spread over the index.

    Returns:
        Type by field, as mapped, fields of objects as ``object.field``; and documents, their id under ``_id``.

    Raises:
        NotFound: there is no such index.
    """
    with told(f"look up {index}"):
        mappings = client.indices.get_mapping(index=index)
    properties: dict[str, str] = {}
    for one in mappings.values():
        properties |= dict(_flattened(one["mappings"].get("properties", {})))
    spread = {"query": {"match_all": {}}, "random_score": {"seed": _SEED, "field": "_seq_no"}}
    with told(f"read {index}"):
        answer = client.search(index=index, body={"query": {"function_score": spread}, "size": sample})
    return properties, [{"_id": hit["_id"], **hit.get("_source", {})} for hit in answer["hits"]["hits"]]


def _flattened(properties: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _flattened(field["properties"], f"{path}{name}.")
        else:
            yield path + name, field.get("type", "object")
