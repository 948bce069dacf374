"""Promise 7 on random requests: where the model has no say, the engine's order and scores come back bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.search import Query, Scope, Term
from rerank_service.request import WINDOW
from tests.service.rerank.world import World, engine_order, fill, seen
from tests.support.service_client import ServiceClient

KNOWN: Final = ("n1", "n2", "n3", "n4", "n5", "shared")
WORDS: Final = ("red", "blue", "estate", "petrol", "diesel", "van", "nothing", "?!")

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
histories = st.lists(st.sampled_from((*KNOWN, "unknown")), max_size=4)
filters = st.dictionaries(st.sampled_from(("make", "sold")), st.none(), max_size=1).flatmap(
    lambda fields: st.fixed_dictionaries(
        {name: st.sampled_from(("mg", "volvo")) if name == "make" else st.booleans() for name in fields}
    )
)
#: Scores as engines give them: negative, tiny, equal and very large ones.
scores = st.floats(-1e6, 1e6, allow_nan=False, width=32)
candidates = st.lists(
    st.tuples(st.sampled_from((*KNOWN, "foreign", "other")), scores),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one[0],
)


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, ServiceClient]:
    """A world that nobody changes, asked as the tenant north."""
    world = World(Path(tmp_path_factory.mktemp("cold")))
    fill(world)
    return world, ServiceClient(world.app(), "north")


def hits(answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [(hit["id"], hit["score"]) for hit in answer["hits"]]


@settings(deadline=None, max_examples=40)
@given(text=texts, history=histories)
def test_whatever_is_asked_for_weight_nothing_changes_nothing(
    north: tuple[World, ServiceClient], text: str, history: Sequence[str]
) -> None:
    world, service = north
    answer = service.search(query=text, weight=0, history=seen(*history), limit=100)
    assert hits(answer) == engine_order(world, text)
    assert answer["ranked_by"] == "engine"


@settings(deadline=None, max_examples=40)
@given(chosen=filters, weight=st.floats(0, 1))
def test_whatever_is_filtered_nobody_and_no_words_change_nothing(
    north: tuple[World, ServiceClient], chosen: Mapping[str, str | bool], weight: float
) -> None:
    world, service = north
    terms = tuple(Term(*one) for one in chosen.items())
    expected = world.engine.search("listing-g1", Scope("north"), Query(filters=terms, limit=WINDOW))
    answer = service.search(filters=[{"term": dict([one])} for one in chosen.items()], weight=weight, limit=100)
    assert hits(answer) == [(one.key.id, one.score) for one in expected]


@settings(deadline=None, max_examples=40)
@given(offered=candidates, text=st.one_of(st.just(""), texts), history=histories)
def test_candidates_of_any_score_come_back_as_they_were(
    north: tuple[World, ServiceClient], offered: Sequence[tuple[str, float]], text: str, history: Sequence[str]
) -> None:
    _, service = north
    sent = [{"id": id_, "score": score} for id_, score in offered]
    asked: dict[str, Any] = {"query": text} if text else {}
    nothing = service.rerank(*sent, weight=0, history=seen(*history), **asked)
    nobody = service.rerank(*sent)
    for answer in (nothing, nobody):
        assert [(one["id"], one["score"]) for one in answer["results"]] == list(offered)
