"""Contributions: what query, user and signals each gave, and that it is all of the score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.features import Scores
from domain.vectors import DIMENSIONS, Array, unit
from rerank_service.shapley import Inputs, contributions, scored
from tests.service.rerank.world import seen
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle


class Mixed:
    """A scorer in which every group meets every other."""

    def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
        zero = np.zeros(len(items), np.float32)
        views = 1 + signals[:, 0]
        relevance = zero if query is None else (items @ query) * views
        personal = zero if user is None else (items @ user) * views
        return Scores(relevance.astype(np.float32), 0.5 if query is None else 0.25, personal.astype(np.float32))


def inputs_of(seed: int, *, query: bool = True, user: bool = True) -> Inputs:
    rng = np.random.default_rng(seed)
    bundle = ToyBundle(scorer=Mixed())
    vectors = unit(rng.standard_normal((4, DIMENSIONS)).astype(np.float32))
    signals = rng.uniform(0, 3, (4, 1)).astype(np.float32)
    history = bundle.history(vectors[:2], ["view", "view"], [0.0, 60.0]) if user else None
    return Inputs(bundle, vectors[3] if query else None, history, vectors, signals)


@settings(deadline=None)
@given(seed=st.integers(0, 1_000), query=st.booleans(), user=st.booleans())
def test_contributions_sum_to_what_the_networks_added(seed: int, query: bool, user: bool) -> None:
    inputs = inputs_of(seed, query=query, user=user)
    found = scored(inputs)
    whole = found.relevance + found.gate * found.personal
    told = contributions(inputs)
    assert sum(told.values()) == pytest.approx(whole, abs=1e-5)
    # A group that is not there contributes nothing.
    assert query or not told["query"].any()
    assert user or not told["user"].any()


def test_two_groups_that_only_work_together_share_equally() -> None:
    """Without history: worth(query) = c, worth(query, signals) = c (1 + s), so signals have c s / 2."""
    inputs = inputs_of(1, user=False)
    assert inputs.query is not None
    cosines = inputs.vectors @ inputs.query
    told = contributions(inputs)
    assert told["signals"] == pytest.approx(cosines * inputs.signals[:, 0] / 2, abs=1e-5)
    assert told["query"] == pytest.approx(cosines * (1 + inputs.signals[:, 0] / 2), abs=1e-5)


@pytest.mark.parametrize("asked", [{"query": "red"}, {"history": seen("n1")}, {"query": "red", "history": seen("n1")}])
def test_they_sum_to_the_score_of_each_hit(north: ServiceClient, asked: dict[str, object]) -> None:
    answer = north.search(**asked, explain=True, weight=0.7, limit=100)
    for hit in answer["hits"]:
        assert set(hit["contributions"]) == {"engine", "query", "user", "signals"}
        assert sum(hit["contributions"].values()) == pytest.approx(hit["score"], abs=1e-5)
    assert "contributions" not in north.search(**asked)["hits"][0]
