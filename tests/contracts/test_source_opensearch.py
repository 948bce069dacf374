"""The host's own index keeps the contract of item sources."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import orjson
import pytest

from domain.ports import ItemSource
from plugin.opensearch.client import connect
from plugin.opensearch.source import OpenSearchSource
from tests.contracts.source_suite import Build, Documents, SourceContract

pytestmark = pytest.mark.opensearch


class TestIndex(SourceContract):
    @pytest.fixture
    def source_of(self, opensearch_url: str) -> Iterator[Build]:
        client = connect(opensearch_url)
        index = f"host-{uuid.uuid4().hex[:8]}"

        def build(documents: Documents) -> ItemSource:
            fields = {"sku": {"type": "keyword"}, "title": {"type": "text"}}
            client.indices.create(index=index, body={"mappings": {"properties": fields}})
            lines: list[object] = []
            names: set[str] = set()
            for number, one in enumerate(documents):
                name = f"{one['sku']}-{number}" if one["sku"] in names else one["sku"]
                names.add(name)
                lines += [{"index": {"_index": index, "_id": name}}, one]
            client.bulk(body="".join(orjson.dumps(line).decode() + "\n" for line in lines), refresh=True)
            return OpenSearchSource(client, index, "sku")

        yield build
        client.indices.delete(index=index)
        client.close()

    @pytest.fixture
    def nowhere(self, opensearch_url: str) -> Callable[[], ItemSource]:
        return lambda: OpenSearchSource(connect(opensearch_url), "host-nowhere", "sku")
