"""Standing: how much waits and how old it is, asked of the queue and the engine when Prometheus asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domain.errors import SidetowerError
from domain.work import Lane

if TYPE_CHECKING:
    from sidetower.parts import Parts

log = logging.getLogger(__name__)

#: Seconds that the engine's counts are remembered: they cost an aggregation.
COUNTED_SECONDS: Final = 30.0
#: Parked items that are counted; more than a person can look at.
PARKED_COUNTED: Final = 1_000


class Standing(Collector):
    """Gauges over the whole installation, not of this process; what does not answer is left out of the scrape.

    Args:
        parts: of this process.
        clock: seconds since 1970.
    """

    def __init__(self, parts: Parts, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._clock = clock
        self._lock = threading.Lock()
        self._counted_at = float("-inf")
        self._counted: list[GaugeMetricFamily] = []

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: whoever registers this must not wait for servers."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        try:
            yield from self._queue()
        except SidetowerError as error:
            log.warning("the queue's depth is not told: %s", error)
        with self._lock:
            if time.monotonic() - self._counted_at >= COUNTED_SECONDS:
                try:
                    self._counted = [*self._generations(), self._parked()]
                    self._counted_at = time.monotonic()
                except SidetowerError as error:
                    self._counted = []
                    log.warning("what is pending is not told: %s", error)
            counted = self._counted
        yield from counted

    def _queue(self) -> list[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("sidetower_queue_waiting", "Tasks that wait", labels=["lane"])
        flying = GaugeMetricFamily("sidetower_queue_in_flight", "Tasks under a lease", labels=["lane"])
        oldest = GaugeMetricFamily("sidetower_queue_oldest_seconds", "Age of the oldest task", labels=["lane"])
        for lane in Lane:
            depth = self._parts.queue.depth(lane)
            waiting.add_metric([lane.value], depth.waiting)
            flying.add_metric([lane.value], depth.in_flight)
            oldest.add_metric([lane.value], depth.oldest_age)
        return [waiting, flying, oldest]

    def _generations(self) -> list[GaugeMetricFamily]:
        labels = ["kind", "generation"]
        items = GaugeMetricFamily("sidetower_items", "Items that are not removed", labels=labels)
        waiting = GaugeMetricFamily("sidetower_pending_items", "Items without their vector", labels=labels)
        oldest = GaugeMetricFamily("sidetower_oldest_pending_seconds", "Age of the oldest of them", labels=labels)
        removed = GaugeMetricFamily("sidetower_tombstones", "Removals that are remembered", labels=labels)
        for one in self._parts.generations.all():
            tenants = self._parts.generations.counts(one.name)
            ages = [self._clock() - each.oldest_pending for each in tenants if each.pending]
            where = [one.kind, one.name]
            items.add_metric(where, sum(each.items for each in tenants))
            waiting.add_metric(where, sum(each.pending for each in tenants))
            oldest.add_metric(where, max(ages, default=0.0))
            removed.add_metric(where, sum(each.removed for each in tenants))
        return [items, waiting, oldest, removed]

    def _parked(self) -> GaugeMetricFamily:
        parked = GaugeMetricFamily("sidetower_parked_items", "Items that were given up, 1000 at most", labels=["kind"])
        kinds = [one.work.key.kind for one in self._parts.parked.all(PARKED_COUNTED)]
        for kind in self._parts.config.kinds:
            parked.add_metric([kind], kinds.count(kind))
        return parked
