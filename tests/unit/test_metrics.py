"""Metrics: what the reports say is what Prometheus reads, every name is documented, no label is unbounded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from domain.items import ItemKey
from domain.versions import ItemOutcome, Outcome
from domain.work import Lane, Task, WorkKey
from indexer.comparison import ComparisonReport
from indexer.drain import DrainReport
from indexer.live import LiveWrite
from tests.support.needs import require_module

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
DOCUMENTED: Final = {
    row[0]: (row[1], set(re.findall(r"`(\w+)`", row[2])))
    for row in re.findall(r"^\| `(sidetower_\w+)` \| (\w+) \| ([^|]*)\|", PAGE, re.MULTILINE)
}
UNBOUNDED: Final = {"tenant", "user", "id", "item", "query", "path"}


@pytest.fixture(autouse=True)
def needs_prometheus() -> None:
    require_module("prometheus_client", "serve")


def key(name: str) -> ItemKey:
    return ItemKey("north", "listing", name)


def test_a_drain_is_counted_by_kind_and_lane() -> None:
    from sidetower.metrics import Metrics

    metrics, report = Metrics(), DrainReport(batches=2, paused="busy: wait", paused_by="busy")
    report.count("embedded", [Task(WorkKey(key(name), "listing-g1"), 1) for name in "abc"])
    report.count("parked", [Task(WorkKey(key("d"), "listing-g1"), 1)])
    assert (report.embedded, report.parked) == (3, 1)
    metrics.drained(Lane.LIVE, report, 0.5)
    read = metrics.registry.get_sample_value
    labels = {"kind": "listing", "lane": "live"}
    assert read("sidetower_vectors_total", labels | {"outcome": "embedded"}) == 3
    assert read("sidetower_vectors_total", labels | {"outcome": "parked"}) == 1
    assert read("sidetower_embedding_batches_total", {"lane": "live"}) == 2
    assert read("sidetower_drain_seconds_sum", {"lane": "live"}) == 0.5
    assert read("sidetower_drain_pauses_total", {"lane": "live", "reason": "busy"}) == 1


def test_an_idle_drain_leaves_the_times_alone() -> None:
    from sidetower.metrics import Metrics

    metrics = Metrics()
    metrics.drained(Lane.FILL, DrainReport(), 0.001)
    assert metrics.registry.get_sample_value("sidetower_drain_seconds_count", {"lane": "fill"}) is None


def test_a_write_is_counted_by_outcome() -> None:
    from sidetower.metrics import Metrics

    metrics = Metrics()
    outcomes = [ItemOutcome(key("a"), Outcome.WRITTEN), ItemOutcome(key("b"), Outcome.CONFLICTING_REVISION)]
    metrics.wrote(LiveWrite("listing-g1", "listing", outcomes, carried=1, seconds=0.25))
    read = metrics.registry.get_sample_value
    where = {"kind": "listing", "generation": "listing-g1"}
    assert read("sidetower_changes_total", where | {"outcome": "written"}) == 1
    assert read("sidetower_changes_total", where | {"outcome": "conflicting_revision"}) == 1
    assert read("sidetower_carried_vectors_total", {"kind": "listing"}) == 1
    assert read("sidetower_live_write_seconds_sum", {"kind": "listing"}) == 0.25


def test_what_reconcile_found_is_counted() -> None:
    from sidetower.metrics import Metrics

    metrics = Metrics()
    metrics.found("listing", "pending", 4)
    metrics.compared("listing", ComparisonReport(missing=2, older=1, repaired=3))
    read = metrics.registry.get_sample_value
    findings = ("pending", "difference", "difference_repaired")
    assert [read("sidetower_reconciled_total", {"kind": "listing", "finding": one}) for one in findings] == [4, 3, 3]


def test_a_taken_port_costs_the_figures_and_not_the_work(caplog: pytest.LogCaptureFixture) -> None:
    import socket

    from sidetower.metrics import Metrics

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        Metrics().serve(taken.getsockname()[1])
    assert "SIDETOWER_METRICS_PORT" in caplog.text


def test_every_metric_is_documented_and_no_other(tmp_path: Path) -> None:
    require_module("fastapi", "serve")
    from rerank_service.app import create_app
    from rerank_service.parts import ServiceParts
    from sidetower.config import load_config
    from sidetower.parts import Parts

    config = tmp_path / "sidetower.toml"
    config.write_text('[kinds.listing]\nid = "id"\ntext = { title = 1.0 }\n')
    parts = Parts(load_config(config, {}))
    parts.watch_standing()
    service = ServiceParts(
        engine=parts.engine,
        release=parts.view.current,
        generation_space=parts.generation_space,
        bundle=parts.bundle,
        kinds=parts.config.kinds,
        apply=parts.live.apply,
        registry=parts.metrics.registry,
    )
    create_app(service)
    found = {}
    for family in parts.metrics.registry.collect():
        if family.name.startswith("sidetower_"):
            found[f"{family.name}_total" if family.type == "counter" else family.name] = family
    assert {name: family.type for name, family in found.items()} == {
        name: type_ for name, (type_, _) in DOCUMENTED.items()
    }
    for name, family in found.items():
        for sample in family.samples:
            labels = set(sample.labels) - {"le"}
            assert labels == DOCUMENTED[name][1], name
    assert not {label for _, labels in DOCUMENTED.values() for label in labels} & UNBOUNDED
