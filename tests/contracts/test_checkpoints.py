"""Both engines keep checkpoints by one contract."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.ports import Checkpoints
from plugin.embedded.checkpoints import EmbeddedCheckpoints
from plugin.embedded.database import Database
from tests.contracts.checkpoint_suite import FULL, CheckpointContract


class TestEmbedded(CheckpointContract):
    @pytest.fixture
    def checkpoints(self, tmp_path: Path) -> Checkpoints:
        return EmbeddedCheckpoints(Database(tmp_path / "engine.db"))

    def test_another_process_finds_it(self, tmp_path: Path) -> None:
        EmbeddedCheckpoints(Database(tmp_path / "engine.db")).put("follow", FULL)
        assert EmbeddedCheckpoints(Database(tmp_path / "engine.db")).get("follow") == FULL


@pytest.fixture(scope="module")
def on_opensearch(opensearch_url: str) -> Iterator[Checkpoints]:
    """Under a prefix that is removed at the end."""
    from plugin.opensearch.checkpoints import OpenSearchCheckpoints
    from plugin.opensearch.client import connect

    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    client = connect(opensearch_url)
    yield OpenSearchCheckpoints(client, prefix)
    client.indices.delete(index=f"{prefix}*")
    client.close()


@pytest.mark.opensearch
class TestOpenSearch(CheckpointContract):
    @pytest.fixture
    def checkpoints(self, on_opensearch: Checkpoints) -> Checkpoints:
        return on_opensearch
