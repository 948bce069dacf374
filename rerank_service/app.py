"""The application: routes, errors and threads put together over the parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from domain.errors import SidetowerError
from rerank_service.body_limit import BodyLimit
from rerank_service.bulk import Bulk
from rerank_service.bulk_routes import BULK_PATH, bulk_routes
from rerank_service.changes import RevisionClock
from rerank_service.degraded import Tally
from rerank_service.engine_pool import EnginePool
from rerank_service.error_answers import answer_errors
from rerank_service.feeds import Feeds
from rerank_service.gateway.door import Gateway
from rerank_service.gateway.ranked import RankedSearches
from rerank_service.health_routes import health_routes
from rerank_service.item_routes import item_routes
from rerank_service.metrics import CountedRequests, RequestFigures, Served, metrics_routes
from rerank_service.page_tokens import PageTokens
from rerank_service.pages import Pages
from rerank_service.parts import ServiceParts
from rerank_service.readiness import Readiness
from rerank_service.rerank_routes import rerank_routes
from rerank_service.reranks import Reranks
from rerank_service.search_routes import feed_routes, search_routes, similar_routes
from rerank_service.searches import Searches
from rerank_service.shelf import BundleShelf
from rerank_service.snapshot import Snapshots
from rerank_service.suggestions import Suggestions


def create_app(parts: ServiceParts) -> FastAPI:
    """The service over these parts: search, rerank, similar items, items, health.

    It has no sign-in of its own: bind it to loopback or a private network; the host's backend is the caller.
    """
    # Two releases of every kind beside each other, while a release changes.
    shelf = BundleShelf(parts.bundle, capacity=2 * len(parts.kinds) + 2)
    snapshots = Snapshots(parts.kinds, parts.release, parts.generation_space, shelf)
    tally = Tally()
    searches = Searches(parts.engine, snapshots, tally, parts.kept)
    readiness = Readiness(snapshots, parts.kinds, parts.checks)
    pool, rerank_pool = EnginePool(), EnginePool()
    reranks = Reranks(searches.vectors, snapshots, searches.ranker, rerank_pool, tally)
    clock = RevisionClock()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Bundles begin to load with the process, not with its first request.
        with suppress(SidetowerError):
            await pool.run(lambda: readiness.report(seconds=0.0))
        yield
        for closing in (pool, rerank_pool, searches, shelf):
            closing.close()

    app = FastAPI(
        title="Sidetower",
        summary="Personalised search and similar items beside an existing search stack.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _add_middleware(app, parts, reranks, tally)
    parts.registry.register(Served(tally, parts.release, parts.kinds))
    answer_errors(app)
    pages = Pages(parts.engine, snapshots, searches, PageTokens(parts.page_secret))
    app.include_router(search_routes(pages, parts.kinds, pool))
    suggestions = Suggestions(parts.engine, snapshots, searches.ranker, tally)
    app.include_router(feed_routes(Feeds(parts.engine, snapshots, searches), suggestions, parts.kinds, pool))
    app.include_router(similar_routes(searches, parts.kinds, pool))
    app.include_router(rerank_routes(reranks, parts.kinds))
    app.include_router(item_routes(parts.apply, parts.kinds, clock, pool))
    app.include_router(bulk_routes(Bulk(parts.apply, parts.kinds, clock), pool))
    app.include_router(health_routes(readiness, tally, pool))
    app.include_router(metrics_routes(parts.registry))
    return app


def _add_middleware(app: FastAPI, parts: ServiceParts, reranks: Reranks, tally: Tally) -> None:
    app.add_middleware(BodyLimit, streamed=frozenset({BULK_PATH}))
    if parts.gateway:
        cluster, targets = parts.gateway.cluster, parts.gateway.targets
        ranked = RankedSearches(cluster, targets, parts.kinds, reranks.places)
        app.add_middleware(Gateway, cluster=cluster, ranked=ranked, tally=tally)
    app.add_middleware(CountedRequests, figures=RequestFigures(parts.registry))
