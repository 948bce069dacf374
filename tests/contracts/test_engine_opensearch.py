"""OpenSearch keeps every contract of the engine's side; SIDETOWER_TEST_OPENSEARCH_VERSION picks the release."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from domain.ports import SearchEngine
from domain.versions import Outcome, pending
from plugin.opensearch.client import connect
from plugin.opensearch.engine import OpenSearchEngine
from plugin.opensearch.generations import OpenSearchGenerations
from plugin.opensearch.parked import OpenSearchParkedItems
from plugin.opensearch.releases import OpenSearchReleases
from tests import tiny_world as tiny
from tests.contracts.engine_base import write
from tests.contracts.engine_suite import EngineContract
from tests.contracts.generations_suite import GenerationsContract
from tests.contracts.parked_suite import ParkedContract
from tests.contracts.release_suite import ReleaseContract
from tests.support.spaces import respace_opensearch

pytestmark = pytest.mark.opensearch


@pytest.fixture(scope="class")
def prefix(opensearch_url: str) -> Iterator[str]:
    """A prefix of one's own; its indexes are deleted at the end."""
    made = f"test-{uuid.uuid4().hex[:8]}-"
    yield made
    client = connect(opensearch_url)
    client.indices.delete(index=f"{made}*")
    client.close()


@pytest.fixture(scope="class")
def engine(opensearch_url: str, prefix: str) -> OpenSearchEngine:
    return OpenSearchEngine(connect(opensearch_url), prefix)


@pytest.fixture(scope="class")
def generations(opensearch_url: str, prefix: str) -> OpenSearchGenerations:
    return OpenSearchGenerations(connect(opensearch_url), prefix)


@pytest.fixture(scope="class")
def respace(opensearch_url: str, prefix: str) -> Iterator[Callable[[str, str], None]]:
    client = connect(opensearch_url)
    yield partial(respace_opensearch, client, prefix)
    client.close()


class TestEngine(EngineContract):
    pass


class TestGenerations(GenerationsContract):
    @pytest.fixture(autouse=True)
    def _client(self, opensearch_url: str, prefix: str) -> Iterator[None]:
        self.client, self.prefix = connect(opensearch_url), prefix
        yield
        self.client.close()

    def forget_deleted_versions(self, engine: SearchEngine, name: str) -> None:
        late = tiny.listing(tiny.key("a"), 3)
        [refused] = engine.write(name, [pending(late, 2.0)])
        assert refused.outcome is Outcome.FAILED, "remembered for index.gc_deletes, 60 s"
        assert "repeat in a minute" in refused.reason
        self.client.indices.put_settings(index=f"{self.prefix}{name}", body={"index.gc_deletes": "0s"})
        deadline = time.monotonic() + 20
        while engine.write(name, [pending(tiny.listing(tiny.key("a"), 1), 2.0)])[0].outcome is Outcome.FAILED:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            write(engine, name, pending(tiny.listing(tiny.key("other"), int(time.time() * 1000)), 2.0))
            engine.refresh(name)


class TestReleases(ReleaseContract):
    @pytest.fixture
    def releases(self, opensearch_url: str, prefix: str) -> OpenSearchReleases:
        return OpenSearchReleases(connect(opensearch_url), prefix)


class TestParked(ParkedContract):
    @pytest.fixture
    def parked(self, opensearch_url: str, prefix: str) -> OpenSearchParkedItems:
        return OpenSearchParkedItems(connect(opensearch_url), prefix)
