"""The service of a configuration has the gateway that it names."""

from __future__ import annotations

from pathlib import Path

import httpx

from sidetower.config import load_config
from sidetower.parts import Parts
from sidetower.service import create
from tests.service.gateway.stand_in import StandIn
from tests.support.served_app import served_app

CONFIGURATION = """
[queue]
redis = "redis://127.0.0.1:1/0"

[kinds.listing]
id = "listing_id"
text = { title = 1.0 }

[gateway]
opensearch = "ADDRESS/behind"

[gateway.indexes.cars]
tenant = "north"
"""


def test_the_gateway_of_a_configuration(tmp_path: Path, cluster: StandIn) -> None:
    (tmp_path / "sidetower.toml").write_text(CONFIGURATION.replace("ADDRESS", cluster.address))
    app = create(Parts(load_config(tmp_path / "sidetower.toml", {})))
    search = {"query": {"match": {"title": "red"}}, "ext": {"sidetower": {"deadline_ms": 10_000}}}
    with served_app(app) as address, httpx.Client(base_url=address, timeout=30, trust_env=False) as http:
        assert http.get("/gateway/_cat/indices?v").status_code == 200
        # Nothing has been indexed yet.
        answer = http.post("/gateway/cars/_search", json=search)
        assert answer.headers["x-sidetower-degraded"] == "index_unavailable"
    # A path of the cluster's address goes before every other.
    assert [sent.target for sent in cluster.sent] == ["/behind/_cat/indices?v", *["/behind/cars/_search"] * 2]
