"""Retrieval: candidates from the engine, always inside the scope."""

from __future__ import annotations

from domain.errors import NotFound, Unavailable
from domain.ports import SearchEngine
from domain.search import Candidate, Query, QueryVector
from domain.vectors import Array
from rerank_service.known import has_vector
from rerank_service.request import WINDOW, RecommendRequest, SearchRequest, SimilarRequest, SuggestRequest
from rerank_service.snapshot import Snapshot


def retrieve(
    engine: SearchEngine,
    snapshot: Snapshot,
    request: SearchRequest | SuggestRequest,
    vector: Array | None,
    limit: int = WINDOW,
) -> list[Candidate]:
    """The window of candidates, best first: by text and vector where the query has a vector, else by text.

    The window does not depend on the page, so that pages are slices of one ranking.

    Args:
        engine: where the snapshot's generation lives.
        snapshot: names the generation and its space.
        request: text, filters and scope.
        vector: the query in the snapshot's space, ``[128]``; None without.
        limit: how many.

    Raises:
        Unavailable: the engine does not answer: there is no order to fall back to.
    """
    query = Query(
        text=request.text,
        vector=None if vector is None else QueryVector(vector, snapshot.space),
        filters=request.filters,
        limit=limit,
    )
    try:
        return engine.search(snapshot.generation, request.scope, query)
    except NotFound as error:
        raise _gone(snapshot) from error


def seed_of(engine: SearchEngine, snapshot: Snapshot, request: SimilarRequest) -> Candidate:
    """The item whose like is wanted.

    Raises:
        NotFound: there is none that this scope may see.
    """
    try:
        found = engine.lookup(snapshot.generation, request.scope, [request.id])
    except NotFound as error:
        raise _gone(snapshot) from error
    if request.id not in found:
        raise NotFound(
            f"{request.kind} {request.id}",
            expected="an item that this tenant and audience may see",
            got="none",
            fix="Check the id, the tenant header and the audiences.",
        )
    return found[request.id]


def like_seed(
    engine: SearchEngine, snapshot: Snapshot, request: SimilarRequest, seed: Candidate, limit: int
) -> tuple[list[Candidate], bool]:
    """The nearest items to the seed, itself left out; by its title while it has no vector in the snapshot's space.

    Returns:
        The candidates, and whether they were found by vector.
    """
    by_vector = has_vector(seed, snapshot.space)
    title = seed.item.texts.get(snapshot.kind.title, "")
    if not by_vector and not title:
        return [], False
    query = Query(
        text="" if by_vector else title,
        vector=QueryVector(seed.vector, snapshot.space) if by_vector and seed.vector is not None else None,
        filters=request.filters,
        exclude=(request.id, *seen(request)),
        limit=limit,
    )
    return engine.search(snapshot.generation, request.scope, query), by_vector


def seen(request: SimilarRequest | RecommendRequest) -> tuple[str, ...]:
    """Ids of the request's kind that the person acted upon, where those are to be left out."""
    if not request.exclude_seen:
        return ()
    return tuple(dict.fromkeys(event.id for event in request.history if event.kind == request.kind))


def _gone(snapshot: Snapshot) -> Unavailable:
    """The release names an index that the engine does not have: nothing the caller asked for wrongly."""
    return Unavailable(
        f"generation {snapshot.generation}",
        expected="the generation that the release names",
        got="no such generation in the engine",
        fix="Ask again in a second; if it stays, point the release at a generation that exists.",
    )
