"""What a real node (or a proxy before it) refuses, and what becomes of the items."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from domain.errors import Busy, ConfigurationError, NotFound, Unavailable
from domain.releases import Generation
from domain.search import Query
from domain.vectors import DIMENSIONS
from domain.versions import Creation, Outcome, pending
from domain.work import ParkedItem, WorkKey
from plugin.opensearch.client import connect
from plugin.opensearch.documents import document_id
from plugin.opensearch.engine import OpenSearchEngine
from plugin.opensearch.generations import OpenSearchGenerations
from plugin.opensearch.parked import OpenSearchParkedItems
from tests import tiny_world as tiny
from tests.support.opensearch_proxy import running_proxy

pytestmark = pytest.mark.opensearch

Outcomes = list[tuple[Outcome, bool]]


@contextmanager
def flooded(client: Any, index: str) -> Iterator[None]:
    """The block that a node sets when its disk is nearly full."""
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=index, body={block: True})
    try:
        yield
    finally:
        client.indices.put_settings(index=index, body={block: None})


@contextmanager
def breaking(client: Any, limit: str) -> Iterator[None]:
    """A circuit breaker that opens at so many bytes in flight."""
    breaker = "network.breaker.inflight_requests.limit"
    client.cluster.put_settings(body={"transient": {breaker: limit}})
    try:
        yield
    finally:
        client.cluster.put_settings(body={"transient": {breaker: None}})


def written(engine: OpenSearchEngine, generation: Generation, *titles: str) -> Outcomes:
    items = [pending(tiny.listing(tiny.key(f"car-{number}"), 1, title), 1.0) for number, title in enumerate(titles)]
    return [(one.outcome, one.busy) for one in engine.write(generation.name, items)]


def test_a_full_disk_is_back_pressure(
    client: Any, prefix: str, engine: OpenSearchEngine, generation: Generation
) -> None:
    with flooded(client, f"{prefix}{generation.name}"):
        assert written(engine, generation, "Red", "Blue") == [(Outcome.FAILED, True)] * 2
    assert written(engine, generation, "Red", "Blue") == [(Outcome.WRITTEN, False)] * 2


def test_a_circuit_breaker_is_back_pressure(client: Any, engine: OpenSearchEngine, generation: Generation) -> None:
    titles = ["long " * 20_000] * 3
    with breaking(client, "50kb"):
        assert written(engine, generation, *titles) == [(Outcome.FAILED, True)] * 3
    assert written(engine, generation, *titles) == [(Outcome.WRITTEN, False)] * 3


def test_back_pressure_while_parking_is_told(client: Any, prefix: str) -> None:
    parked = OpenSearchParkedItems(client, prefix)
    one = ParkedItem(WorkKey(tiny.key("car-1"), "listing-g1"), 1, 6, "Boom \ud83d", 1.0)
    parked.park([one])
    with flooded(client, f"{prefix}parked"), pytest.raises(Busy, match="parked items"):
        parked.park([one])
    assert [found.error for found in parked.all()] == ["Boom \\ud83d"]


def test_a_body_too_large_goes_in_halves(opensearch_url: str, prefix: str, generation: Generation) -> None:
    with running_proxy(opensearch_url, max_body=30_000) as url:
        client = connect(url)
        engine = OpenSearchEngine(client, prefix)
        outcomes = written(engine, generation, *["Red " * 1_000] * 9, "Blue " * 10_000, "Green")
        client.close()
    # Forty kilobytes do not fit in any half.
    assert outcomes == [(Outcome.WRITTEN, False)] * 9 + [(Outcome.FAILED, False), (Outcome.WRITTEN, False)]


def test_a_late_answer_is_unavailable_and_the_write_can_be_repeated(
    opensearch_url: str, prefix: str, engine: OpenSearchEngine, generation: Generation
) -> None:
    item = tiny.listing(tiny.key("car-1"))
    with running_proxy(opensearch_url, delay=1.0) as url:
        client = connect(url, timeout=0.3)
        late = OpenSearchEngine(client, prefix)
        with pytest.raises(Unavailable):
            late.write(generation.name, [pending(item, 1.0)])
        client.close()
    assert [one.outcome for one in engine.write(generation.name, [pending(item, 1.0)])] == [Outcome.WRITTEN]


@pytest.mark.parametrize("length", [32_766, 32_767])
def test_a_keyword_above_what_lucene_takes_is_told(
    engine: OpenSearchEngine, generation: Generation, length: int
) -> None:
    items = [
        pending(tiny.listing(tiny.key("long"), 1, filters={"make": ("x" * length,)}), 1.0),
        pending(tiny.listing(tiny.key("short")), 1.0),
    ]
    outcomes = engine.write(generation.name, items)
    assert [one.outcome for one in outcomes] == [
        Outcome.WRITTEN if length == 32_766 else Outcome.FAILED,
        Outcome.WRITTEN,
    ]
    assert (length == 32_766) == (outcomes[0].reason == "")
    assert outcomes[0].reason == "" or "filter.make" in outcomes[0].reason


def test_a_vector_that_is_no_number_fails_alone(engine: OpenSearchEngine, generation: Generation) -> None:
    broken = tiny.axis(0)
    broken[3] = np.nan
    vectors = {"broken": broken, "zero": np.zeros(DIMENSIONS, dtype=np.float32)}
    items = [tiny.with_vector(tiny.listing(tiny.key(name)), vector) for name, vector in vectors.items()]
    assert [one.outcome for one in engine.write(generation.name, items)] == [Outcome.FAILED, Outcome.WRITTEN]


def test_a_whole_letter_is_a_query(engine: OpenSearchEngine, generation: Generation) -> None:
    written(engine, generation, "Red estate")
    engine.refresh(generation.name)
    letter = "red " + " ".join(f"word{number}" for number in range(5_000))
    for query in (Query(letter), tiny.by_vector(text=letter)):
        assert [one.key.id for one in engine.search(generation.name, tiny.scope(), query)] == ["car-0"]


def test_letters_in_parts_are_letters(engine: OpenSearchEngine, generation: Generation) -> None:
    written(engine, generation, "Cafe\u0301s of Zu\u0308rich")
    engine.refresh(generation.name)
    for text in ("cafés", "CAFE\u0301S", "zürich", "zurich"):
        assert engine.search(generation.name, tiny.scope(), Query(text)), text


def test_many_writers_end_at_the_newest(engine: OpenSearchEngine, generation: Generation) -> None:
    def write(revision: int) -> set[Outcome]:
        items = [tiny.listing(tiny.key(f"car-{number}"), revision, f"Car {revision}") for number in range(20)]
        found = engine.write(generation.name, [pending(item, 1.0) for item in items])
        found += engine.write(generation.name, [tiny.with_vector(item) for item in items], Creation.FORBIDDEN)
        return {one.outcome for one in found}

    with ThreadPoolExecutor(6) as pool:
        outcomes = set().union(*pool.map(write, [3, 9, 1, 12, 7, 5, 11, 2, 10, 4, 8, 6]))
    assert outcomes <= {Outcome.WRITTEN, Outcome.STALE}
    stored = engine.read(generation.name, [tiny.key(f"car-{number}") for number in range(20)])
    assert {one.version for one in stored.values()} == {4 * 12 + 1}
    assert len(stored) == 20


def test_the_engine_remembers_a_purged_version_for_a_while(
    client: Any, prefix: str, engine: OpenSearchEngine, generation: Generation
) -> None:
    item = tiny.listing(tiny.key("car-1"), 5)
    purged = {"index": f"{prefix}{generation.name}", "id": document_id("north", "car-1")}
    client.delete(**purged, version=4 * 6, version_type="external", ignore=404)
    (outcome,) = engine.write(generation.name, [pending(item, 1.0)])
    assert (outcome.outcome, outcome.busy) == (Outcome.FAILED, False)
    assert engine.read(generation.name, [item.key]) == {}


def test_a_field_that_cannot_be_mapped_is_refused(generations: OpenSearchGenerations) -> None:
    made = tiny.generation("listing-g1", text_weights={"title": 2.0, "title.short": 1.0})
    with pytest.raises(ConfigurationError, match="listing-g1"):
        generations.create(made)
    assert generations.all() == []


def test_dropping_with_a_wildcard_drops_nothing(generations: OpenSearchGenerations, generation: Generation) -> None:
    with pytest.raises(ConfigurationError):
        generations.drop("*")
    assert generations.all() == [generation]


def test_a_longer_prefix_is_another_installation(
    client: Any, prefix: str, generations: OpenSearchGenerations, generation: Generation
) -> None:
    OpenSearchGenerations(client, f"{prefix}b-").create(tiny.generation("listing-g1", space="another"))
    assert generations.all() == [generation]


def test_an_index_of_the_host_is_no_generation(
    client: Any, prefix: str, engine: OpenSearchEngine, generations: OpenSearchGenerations
) -> None:
    client.indices.create(index=f"{prefix}cars")
    assert generations.all() == []
    with pytest.raises(NotFound, match="cars"):
        engine.scan("cars")
    with pytest.raises(NotFound, match="cars"):
        generations.create(tiny.generation("cars"))
