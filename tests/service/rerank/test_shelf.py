"""The shelf of bundles and the small caches beside it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from domain.errors import Busy, NotFound, Unavailable
from domain.vectors import Array
from rerank_service.engine_pool import EnginePool
from rerank_service.query_vectors import QueryVectors
from rerank_service.shelf import RETRY_SECONDS, BundleShelf, RankingBundle
from tests.support.toy_bundle import ToyBundle


class Loader:
    """Loads toy bundles and remembers which; one id can be missing."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.missing = ""

    def __call__(self, bundle_id: str) -> RankingBundle:
        self.loads.append(bundle_id)
        if bundle_id == self.missing:
            raise NotFound(bundle_id, expected="a bundle", got="none", fix="Publish it.")
        return ToyBundle(bundle_id)


def test_the_bundle_unused_for_longest_is_forgotten() -> None:
    loader = Loader()
    shelf = BundleShelf(loader, capacity=2)
    for bundle_id in ("a", "b", "a", "c", "a", "b"):
        assert shelf.get(bundle_id, 5).id == bundle_id
    assert loader.loads == ["a", "b", "c", "b"]


def test_a_failed_load_is_tried_again_after_a_while_only() -> None:
    loader = Loader()
    loader.missing = "a"
    now = [100.0]
    shelf = BundleShelf(loader, capacity=2, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(NotFound):
            shelf.get("a", 5)
    assert loader.loads == ["a"]
    loader.missing = ""
    now[0] += RETRY_SECONDS
    assert shelf.get("a", 5).id == "a"
    assert loader.loads == ["a", "a"]


def test_query_vectors_are_embedded_once_and_kept_by_bundle() -> None:
    class Counting(ToyBundle):
        def embed_query(self, text: str) -> Array | None:
            embedded.append((self.id, text))
            return super().embed_query(text)

    embedded: list[tuple[str, str]] = []
    kept = QueryVectors(capacity=2)
    one, two = Counting("one"), Counting("two", "other")
    first = kept.get(one, "red")
    assert first is not None
    assert kept.get(one, "red") is first
    assert kept.get(two, "red") is not first
    assert kept.get(one, "?!") is None
    assert kept.get(one, "?!") is None
    kept.get(one, "red")
    assert embedded == [("one", "red"), ("two", "red"), ("one", "?!"), ("one", "red")]


def test_the_pool_tells_when_it_is_full_and_recovers() -> None:
    go = threading.Event()
    pool = EnginePool(max_inside=2)

    async def crowd() -> list[object]:
        waiting = [asyncio.create_task(pool.run(go.wait)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await pool.run(go.wait)
        go.set()
        return [*await asyncio.gather(*waiting), await pool.run(go.wait)]

    assert asyncio.run(crowd()) == [True, True, True]
    pool.close()


def test_the_pool_does_not_wait_for_ever() -> None:
    go = threading.Event()
    pool = EnginePool(patience=0.05)
    with pytest.raises(Unavailable, match="search engine: expected an answer"):
        asyncio.run(pool.run(go.wait))
    go.set()
    pool.close()
