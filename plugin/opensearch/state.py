"""Small indexes of Sidetower's own state, made on first use."""

from __future__ import annotations

from typing import Any

from opensearchpy import OpenSearch

from domain.errors import InvalidQuery
from plugin.opensearch.client import told


def ensure_index(client: OpenSearch, index: str, properties: dict[str, Any]) -> None:
    """Make the index unless it is there; somebody else making it at the same moment is as good."""
    body = {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
        "mappings": {"dynamic": "strict", "properties": properties},
    }
    with told(f"look up {index}"):
        if client.indices.exists(index=index):
            return
    try:
        with told(f"create {index}"):
            client.indices.create(index=index, body=body)
    except InvalidQuery as refused:
        if "resource_already_exists_exception" not in refused.got:
            raise
