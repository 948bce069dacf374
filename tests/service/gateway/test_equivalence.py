"""Drawn searches, sent to a real cluster and through the gateway: the same answers but for what is to differ."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from opensearchpy import NotFoundError, OpenSearch, helpers

from tests.service.rerank.world import World
from tests.support.gateway_equivalence import (
    before_identity,
    before_ranking,
    expected_outcome,
    make_host_index,
    same,
    same_but_for_the_order,
)
from tests.support.search_bodies import searches

pytestmark = pytest.mark.opensearch


@pytest.fixture(scope="module")
def direct(opensearch_url: str) -> Iterator[httpx.Client]:
    """The host's cluster."""
    with httpx.Client(base_url=opensearch_url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def index(direct: httpx.Client) -> Iterator[str]:
    """An index of the host with three windows of documents."""
    name = f"host-{uuid.uuid4().hex[:8]}"
    make_host_index(direct, name)
    yield name
    direct.delete(f"/{name}")


def test_a_ranking_that_leaves_everything_where_it_is_changes_nothing(direct: httpx.Client, index: str) -> None:
    became: Counter[str] = Counter()
    with before_identity(direct, index) as pair:
        for drawn in searches(60, seed=2):
            there, through = pair.direct(drawn), pair.through(drawn)
            assert same(there, through) == "", drawn
            became[expected_outcome(drawn, there, through)] += 1
    # Both searches really happened for most of them.
    assert became["ranked"] >= 30, became
    assert became["passed"] >= 10, became


def test_a_client_of_opensearch_needs_another_address_and_nothing_else(direct: httpx.Client, index: str) -> None:
    with before_identity(direct, index) as pair, OpenSearch([str(pair.gateway.base_url)], timeout=60) as client:
        assert client.ping()
        assert client.info()["version"] == direct.get("/").json()["version"]
        own = f"{index}-own"
        client.indices.create(index=own, body={"settings": {"index": {"number_of_replicas": 0}}})
        lines = [{"_index": own, "_id": f"caf\u00e9/{number}", "title": "red car"} for number in range(30)]
        assert helpers.bulk(client, lines, refresh=True) == (30, [])
        assert client.get(index=own, id="caf\u00e9/7")["_source"] == {"title": "red car"}
        found = helpers.scan(client, index=own, query={"query": {"match_all": {}}}, size=7)
        assert {hit["_id"] for hit in found} == {line["_id"] for line in lines}
        query = {"query": {"match": {"title": "red"}}}
        assert client.msearch(body=[{"index": own}, query])["responses"][0]["hits"]["total"]["value"] == 30
        body = {**query, "ext": {"sidetower": {}}}
        answer = client.search(index=index, body=body, size=3, routing="a", typed_keys=True)
        assert answer["ext"]["sidetower"]["ranked_by"] == "identity"
        assert len(answer["hits"]["hits"]) == 3
        with pytest.raises(NotFoundError, match="index_not_found_exception"):
            client.search(index=f"{index},no-such-index", body=query)
        client.indices.delete(index=own)


def test_a_ranking_changes_the_order_and_nothing_else(
    direct: httpx.Client, index: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("ranked"))
    moved = 0
    with before_ranking(direct, index, world) as pair:
        for drawn in searches(24, seed=3):
            if not drawn.against:
                difference, another_order = same_but_for_the_order(pair, drawn)
                assert difference == "", drawn
                moved += another_order
    assert moved >= 8
