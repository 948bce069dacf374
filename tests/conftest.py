"""Fixtures that name their precondition; servers start once for each run, on loopback, and end with it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import require

for _name in [
    name for name in os.environ if name.startswith("SIDETOWER_") and "REQUIRE" not in name and "TEST" not in name
]:
    del os.environ[_name]

# A run that was started in the background ignores Ctrl-C, and so would every process that it starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real OpenSearch node with k-NN; SIDETOWER_TEST_OPENSEARCH_VERSION picks the release."""
    from tests.support import opensearch_node

    how = "OpenSearch tests need Maven (mvn) and a JDK (21 or newer for 3.x): apt-get install maven openjdk-21-jdk"
    require(shutil.which("mvn") is not None and any(opensearch_node.java_candidates()), how)
    version = os.environ.get("SIDETOWER_TEST_OPENSEARCH_VERSION", opensearch_node.DEFAULT_VERSION)
    folder = tmp_path_factory.mktemp("opensearch")
    try:
        opensearch_node.find_java(version)
        opensearch_node.assemble(version)
    except opensearch_node.NodeError as error:
        require(False, f"{how}. {error}")
    with opensearch_node.running_node(folder, version=version, fast=True) as node:
        yield node.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Redis started for this run (noeviction, no persistence)."""
    from tests.support.redis_server import running_redis

    require(shutil.which("redis-server") is not None, "Redis tests need redis-server: apt-get install redis-server")
    with running_redis(Path(tmp_path_factory.mktemp("redis"))) as url:
        yield url
