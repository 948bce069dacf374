"""Metrics: what became of changes and vectors in this process, in Prometheus' text format."""

from __future__ import annotations

import logging
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, start_http_server

from domain.work import Lane
from indexer.comparison import ComparisonReport
from indexer.drain import DrainReport
from indexer.live import LiveWrite

log = logging.getLogger(__name__)

#: Upper bounds of the buckets, seconds.
WRITE_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DRAIN_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """Counts of one process, from the reports that the indexer gives; labels are bounded, no item and no tenant."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._changes = self._counter(
            "sidetower_changes", "Changes written with their texts, by generation", "kind", "generation", "outcome"
        )
        self._carried = self._counter(
            "sidetower_carried_vectors", "Vectors kept because nothing they read changed", "kind"
        )
        self._write_seconds = Histogram(
            "sidetower_live_write_seconds",
            "One write of changes into one generation",
            ["kind"],
            registry=self.registry,
            buckets=WRITE_SECONDS,
        )
        self._told = self._counter("sidetower_told_items", "Items that item_changed named", "kind", "outcome")
        self._vectors = self._counter(
            "sidetower_vectors",
            "What became of queued items: embedded, stale, failed, parked",
            "kind",
            "lane",
            "outcome",
        )
        self._batches = self._counter("sidetower_embedding_batches", "Batches embedded", "lane")
        self._drain_seconds = Histogram(
            "sidetower_drain_seconds",
            "One drain of a lane that found work",
            ["lane"],
            registry=self.registry,
            buckets=DRAIN_SECONDS,
        )
        self._pauses = self._counter("sidetower_drain_pauses", "Drains that a server ended", "lane", "reason")
        self._findings = self._counter("sidetower_reconciled", "What reconcile found", "kind", "finding")
        self._reconciled = Counter("sidetower_reconciles", "Reconciles that came to their end", registry=self.registry)

    def wrote(self, write: LiveWrite) -> None:
        """Changes were written into a generation."""
        for outcome in write.outcomes:
            self._changes.labels(write.kind, write.generation, outcome.outcome.value).inc()
        self._carried.labels(write.kind).inc(write.carried)
        self._write_seconds.labels(write.kind).observe(write.seconds)

    def told(self, kind: str, outcome: str, items: int) -> None:
        """Items that `item_changed` named were read and written, or not."""
        self._told.labels(kind, outcome).inc(items)

    def drained(self, lane: Lane, report: DrainReport, seconds: float) -> None:
        """A lane was worked on."""
        for (kind, ending), count in report.by_kind.items():
            self._vectors.labels(kind, lane.value, ending).inc(count)
        if report.by_kind:
            self._drain_seconds.labels(lane.value).observe(seconds)
        self._batches.labels(lane.value).inc(report.batches)
        if report.paused:
            self._pauses.labels(lane.value, report.paused_by).inc()

    def found(self, kind: str, finding: str, items: int) -> None:
        """Reconcile found items in this state: ``pending``, ``wrong_space`` or ``tombstone``."""
        self._findings.labels(kind, finding).inc(items)

    def compared(self, kind: str, report: ComparisonReport) -> None:
        """Generations were compared."""
        self.found(kind, "difference", report.differences)
        self.found(kind, "difference_repaired", report.repaired)

    def reconciled(self) -> None:
        """A reconcile came to its end."""
        self._reconciled.inc()

    def serve(self, port: int) -> None:
        """Answer on 127.0.0.1; a port that is taken costs the figures, not the work."""
        try:
            start_http_server(port, addr="127.0.0.1", registry=self.registry)
        except OSError as error:
            log.warning("no metrics on port %d: %s. Give each worker a SIDETOWER_METRICS_PORT of its own.", port, error)

    def _counter(self, name: str, about: str, *labels: str) -> Any:
        return Counter(name, about, labels, registry=self.registry)
