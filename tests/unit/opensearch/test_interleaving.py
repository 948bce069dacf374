"""Another writer has its turn between what a write reads before it and the bulk request itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.items import Removal
from domain.releases import Generation
from domain.versions import Creation, Outcome, StoredItem, pending, repaired
from plugin.opensearch.engine import OpenSearchEngine
from tests import tiny_world as tiny
from tests.contracts.engine_base import plain
from tests.support.interleaving import Interleaved

pytestmark = pytest.mark.opensearch

KEY = tiny.key("car-1")
ONE, OTHER = (tiny.listing(KEY, 5, title) for title in ("One", "Other"))
FILLED = tiny.with_vector(ONE)
OLDER = pending(tiny.listing(KEY, 4), 1.0)
NEWER = pending(tiny.listing(KEY, 6), 1.0)


@pytest.mark.parametrize(
    "before", [None, OLDER, tiny.with_vector(tiny.listing(KEY, 4))], ids=["nothing", "old", "ready"]
)
@pytest.mark.parametrize(
    ("between", "outcome", "left"),
    [
        (pending(OTHER, 2.0), Outcome.CONFLICTING_REVISION, pending(OTHER, 2.0)),
        (tiny.with_vector(OTHER), Outcome.CONFLICTING_REVISION, tiny.with_vector(OTHER)),
        (pending(Removal(KEY, 5), 2.0), Outcome.CONFLICTING_REVISION, pending(Removal(KEY, 5), 2.0)),
        (repaired(OTHER, 2.0), Outcome.CONFLICTING_REVISION, repaired(OTHER, 2.0)),
        (pending(ONE, 2.0), Outcome.WRITTEN, FILLED),
        (FILLED, Outcome.WRITTEN, FILLED),
        (repaired(ONE, 2.0), Outcome.WRITTEN, replace(FILLED, repaired=True)),
        (NEWER, Outcome.STALE, NEWER),
        (OLDER, Outcome.WRITTEN, FILLED),
    ],
    ids=["other", "other-ready", "removed", "other-repaired", "same", "same-ready", "same-repaired", "newer", "older"],
)
def test_a_fill_passes_nothing_over(
    client: Any,
    prefix: str,
    engine: OpenSearchEngine,
    generation: Generation,
    before: StoredItem | None,
    between: StoredItem,
    outcome: Outcome,
    left: StoredItem,
) -> None:
    if before is not None:
        engine.write(generation.name, [before])
    met = OpenSearchEngine(Interleaved(client, bulk=lambda: engine.write(generation.name, [between])), prefix)
    assert [one.outcome for one in met.write(generation.name, [FILLED])] == [outcome]
    found = engine.read(generation.name, [KEY])[KEY]
    assert plain(found) == plain(left)
    assert found.version == left.version


@pytest.mark.parametrize(
    ("between", "outcome", "left"),
    [
        (repaired(OTHER, 2.0), Outcome.CONFLICTING_REVISION, repaired(OTHER, 2.0)),
        (repaired(ONE, 2.0), Outcome.WRITTEN, replace(FILLED, repaired=True)),
        (NEWER, Outcome.STALE, NEWER),
    ],
    ids=["other-repaired", "same-repaired", "newer"],
)
def test_a_vector_passes_nothing_over(
    client: Any,
    prefix: str,
    engine: OpenSearchEngine,
    generation: Generation,
    between: StoredItem,
    outcome: Outcome,
    left: StoredItem,
) -> None:
    engine.write(generation.name, [pending(ONE, 1.0)])
    met = OpenSearchEngine(Interleaved(client, bulk=lambda: engine.write(generation.name, [between])), prefix)
    assert [one.outcome for one in met.write(generation.name, [FILLED], Creation.FORBIDDEN)] == [outcome]
    assert plain(engine.read(generation.name, [KEY])[KEY]) == plain(left)
