"""Metrics of the service: requests, degraded answers, what is served; in Prometheus' text format."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.catalogue import Kind
from domain.errors import SidetowerError
from domain.releases import Release
from rerank_service.degraded import WRONG_SPACE_HIT, Tally

#: Upper bounds of the buckets, seconds.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestFigures:
    """Requests by route and status, and their times.

    Args:
        registry: takes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "sidetower_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "sidetower_http_request_seconds",
            "From a request's first byte to its answer's last",
            ["route"],
            registry=registry,
            buckets=BUCKETS,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class CountedRequests:
    """Counts every request by its route's template, so that ids make no new series.

    Args:
        app: what is behind it.
        figures: take the counts.
    """

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = scope.get("route")
            # Of what no route takes, method and path are the caller's own words.
            known = scope["method"] in (getattr(route, "methods", None) or ())
            method, path = (scope["method"], getattr(route, "path", "")) if known else ("", "unknown")
            self._figures.answered(method, path, status, time.perf_counter() - began)


class Served(Collector):
    """What is degraded and what is served, read when Prometheus asks.

    Args:
        tally: counts since the start.
        release: the current release of a kind.
        kinds: the kinds that are served.
    """

    def __init__(self, tally: Tally, release: Callable[[str], Release | None], kinds: Mapping[str, Kind]) -> None:
        self._tally = tally
        self._release = release
        self._kinds = kinds

    def describe(self) -> list[Metric]:
        """Nothing: whoever registers this must not wait for the engine."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        counts = self._tally.counts()
        wrong = counts.pop(WRONG_SPACE_HIT, 0)
        yield CounterMetricFamily("sidetower_wrong_space_hits", "Hits with a vector of another space", value=wrong)
        degraded = CounterMetricFamily("sidetower_degraded", "Answers in the engine's order", labels=["reason"])
        for reason, count in counts.items():
            degraded.add_metric([reason], count)
        yield degraded
        served = GaugeMetricFamily(
            "sidetower_release_info", "What a kind is served from", labels=["kind", "generation", "bundle"]
        )
        for kind in self._kinds:
            try:
                release = self._release(kind)
            except SidetowerError:
                continue  # the engine is away, and `/readyz` says so
            if release is not None:
                served.add_metric([kind, release.default.generation, release.default.bundle], 1)
        yield served


def metrics_routes(registry: CollectorRegistry) -> APIRouter:
    """The route that Prometheus scrapes."""
    router = APIRouter(tags=["health"])
    example = 'sidetower_release_info{bundle="b-4f1c",generation="listing-g1",kind="listing"} 1.0'
    content = {"text/plain": {"example": example}}
    text: dict[int | str, dict[str, Any]] = {200: {"content": content, "description": "The figures."}}

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response, responses=text)
    def metrics() -> Response:
        # In a thread that requests do not share: an overloaded service still tells how overloaded it is.
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
