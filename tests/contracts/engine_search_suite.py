"""Searches by text, by vector and by both: which items, in which order, with which scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from domain.items import Removal
from domain.ports import SearchEngine
from domain.search import Query
from domain.versions import Outcome, pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, bits, ids, write

#: Query text and the north's public items that it matches.
MATCHES = {
    "roadster": {"car-7"},
    "red": {"car-1", "car-2"},
    "RED": {"car-1", "car-2"},
    "run": {"car-1", "car-3"},
    "running": {"car-1", "car-3"},
    "deliveries": {"car-5", "car-6"},
    "hatchback roadster": {"car-2", "car-7"},
    "hatchback unheardof": {"car-2"},
    "hatchback hatchback hatchback": {"car-2"},
    "citroen": {"car-4"},
    "CITROËN": {"car-4"},
    "zurich zürich": {"car-4"},
    "strassenlage": {"car-4"},
    "STRAẞENLAGE": {"car-4"},
    "Orsted": {"car-4"},
    "ørsted": {"car-4"},
    "near-zero": {"car-3"},
    "320d": {"car-4"},
    "320": set(),
    "1967": {"car-7"},
    "with": {"car-5", "car-6"},
    "hatch": set(),
    "unheardof": set(),
    "rack, tail!": {"car-5", "car-6"},
    "roof AND NOT rack": {"car-5"},
    'title:red OR "red" NEAR(body) ^red*': {"car-1", "car-2", "car-3"},
    "' OR 1=1 --": set(),
    "ghost": set(),
}


class EngineTextContract(EngineBase):
    """The text leg."""

    @pytest.mark.parametrize("text", MATCHES)
    def test_which_items_a_text_matches(self, engine: SearchEngine, filled: str, text: str) -> None:
        found = engine.search(filled, tiny.scope(), Query(text, limit=50))
        assert set(ids(found)) == MATCHES[text]
        assert len(found) == len(MATCHES[text])

    @pytest.mark.parametrize("text", [" ", "!!!", '"', "-- ' *", "_", "🚗", "(", "\t\n"])
    def test_a_text_without_a_word_matches_nothing(self, engine: SearchEngine, filled: str, text: str) -> None:
        assert engine.search(filled, tiny.scope(), Query(text, limit=50)) == []

    def test_a_very_long_text_is_answered(self, engine: SearchEngine, filled: str) -> None:
        text = "roadster " + " ".join(f"word{number}" for number in range(3_000))
        assert ids(engine.search(filled, tiny.scope(), Query(text))) == ["car-7"]

    def test_a_title_match_is_above_a_body_match(self, engine: SearchEngine, filled: str) -> None:
        assert ids(engine.search(filled, tiny.scope(), Query("red"))) == ["car-1", "car-2"]
        assert ids(engine.search(filled, tiny.scope(), Query("blue"))) == ["car-2"]

    def test_more_matching_words_come_first(self, engine: SearchEngine, filled: str) -> None:
        assert ids(engine.search(filled, tiny.scope(), Query("delivery van roof")))[0] == "car-5"

    def test_text_scores_fall_and_ranks_rise(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), Query("red running"))
        scores = [one.score for one in found]
        assert min(scores) > 0
        assert scores == sorted(scores, reverse=True)
        assert [one.text_rank for one in found] == [1, 2, 3]
        assert {one.vector_rank for one in found} == {None}

    def test_equal_texts_are_ordered_by_id(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        for name in ("b", "c", "a"):
            write(engine, scratch, pending(tiny.listing(tiny.key(name, tenant), 1, "Equal wording"), 1.0))
        engine.refresh(scratch)
        scope = tiny.scope(tenant)
        assert ids(engine.search(scratch, scope, Query("wording"))) == ["a", "b", "c"]
        assert ids(engine.search(scratch, scope, Query("wording", limit=2))) == ["a", "b"]

    def test_a_candidate_brings_its_whole_item(self, engine: SearchEngine, filled: str) -> None:
        (found,) = engine.search(filled, tiny.scope(), Query("hatchback"))
        assert found.item == tiny.item(tiny.key("car-2"), 1, tiny.CARS[tiny.NORTH]["car-2"])
        assert found.vector is not None
        assert bits(found.vector) == bits(tiny.tilted(0.8))
        assert (found.space, found.version) == (tiny.SPACE, 4 * 1 + 1)

    def test_a_pending_item_is_found_by_text_without_a_vector(self, engine: SearchEngine, filled: str) -> None:
        (found,) = engine.search(filled, tiny.scope(), Query("coupe"))
        assert (found.key.id, found.vector, found.space, found.version) == ("car-8", None, "", 4 * 1 + 0)

    def test_a_new_revision_is_found_by_its_new_words_only(
        self, engine: SearchEngine, scratch: str, tenant: str
    ) -> None:
        key, scope = tiny.key("a", tenant), tiny.scope(tenant)
        write(engine, scratch, pending(tiny.listing(key, 1, "Yesterday wording"), 1.0))
        write(engine, scratch, pending(tiny.listing(key, 2, "Today phrasing"), 1.0))
        engine.refresh(scratch)
        assert ids(engine.search(scratch, scope, Query("today"))) == ["a"]
        assert engine.search(scratch, scope, Query("wording")) == []
        write(engine, scratch, pending(Removal(key, 3), 1.0))
        engine.refresh(scratch)
        assert engine.search(scratch, scope, Query("today")) == []
        write(engine, scratch, pending(tiny.listing(key, 4, "Returned"), 1.0))
        engine.refresh(scratch)
        assert ids(engine.search(scratch, scope, Query("returned today"))) == ["a"]


class EngineVectorContract(EngineBase):
    """The vector leg, exact, and its fusion with the text leg."""

    def test_vectors_are_ordered_by_inner_product(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), tiny.by_vector(limit=50))
        assert ids(found) == tiny.NEAREST
        assert [one.score for one in found] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.5, -0.4], abs=1e-5)
        assert [one.vector_rank for one in found] == [1, 2, 3, 4, 5, 6, 7]
        assert {one.text_rank for one in found} == {None}

    def test_the_opposite_vector_turns_the_order(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), tiny.by_vector(-tiny.axis(0), limit=50))
        assert ids(found) == ["car-7", "car-5", "car-6", "car-4", "car-3", "car-2", "car-1"]
        assert found[0].score == pytest.approx(0.4, abs=1e-5)

    @pytest.mark.parametrize("limit", [1, 4, 5])
    def test_the_limit_cuts_the_same_order(self, engine: SearchEngine, filled: str, limit: int) -> None:
        assert ids(engine.search(filled, tiny.scope(), tiny.by_vector(limit=limit))) == tiny.NEAREST[:limit]

    def test_equal_vectors_are_ordered_by_id(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        vector = tiny.tilted(0.123456)
        names = [f"item-{number:02}" for number in range(20)]
        for name in reversed(names):
            write(engine, scratch, tiny.with_vector(tiny.listing(tiny.key(name, tenant)), vector))
        engine.refresh(scratch)
        query = tiny.by_vector(tiny.tilted(0.654321, aside=3), limit=20)
        assert ids(engine.search(scratch, tiny.scope(tenant), query)) == names

    def test_random_vectors_are_ordered_exactly(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        rng = np.random.default_rng(11)
        raw = rng.standard_normal((60, 128))
        vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
        names = [f"item-{number:02}" for number in range(60)]
        items = [tiny.listing(tiny.key(name, tenant)) for name in names]
        engine.write(scratch, [tiny.with_vector(item, row) for item, row in zip(items, vectors, strict=True)])
        engine.refresh(scratch)
        exact = vectors.astype(np.float64) @ vectors[0].astype(np.float64)
        found = engine.search(scratch, tiny.scope(tenant), tiny.by_vector(vectors[0], limit=60))
        assert ids(found) == [names[row] for row in np.argsort(-exact)]
        assert [one.score for one in found] == pytest.approx(np.sort(exact)[::-1].tolist(), abs=1e-5)

    def test_a_query_of_another_space_finds_no_vector(self, engine: SearchEngine, filled: str) -> None:
        assert engine.search(filled, tiny.scope(), tiny.by_vector(space=tiny.OTHER_SPACE)) == []

    def test_a_vector_of_another_space_is_never_compared(
        self, engine: SearchEngine, scratch: str, tenant: str, respace: Callable[[str, str], None]
    ) -> None:
        ours, foreign = (tiny.listing(tiny.key(name, tenant)) for name in ("ours", "foreign"))
        write(engine, scratch, tiny.with_vector(ours, tiny.tilted(0.2)))
        respace(scratch, tiny.OTHER_SPACE)
        assert write(engine, scratch, tiny.with_vector(foreign, space=tiny.OTHER_SPACE)) is Outcome.WRITTEN
        respace(scratch, tiny.SPACE)
        engine.refresh(scratch)
        assert ids(engine.search(scratch, tiny.scope(tenant), tiny.by_vector())) == ["ours"]
        hybrid = tiny.by_vector(text="plain car")
        ranks = {one.key.id: one.vector_rank for one in engine.search(scratch, tiny.scope(tenant), hybrid)}
        assert ranks.get("foreign") is None
        assert ranks["ours"] == 1

    def test_a_vector_is_found_from_its_phase_on(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item, scope = tiny.listing(tiny.key("a", tenant)), tiny.scope(tenant)
        write(engine, scratch, pending(item, 1.0))
        engine.refresh(scratch)
        assert engine.search(scratch, scope, tiny.by_vector()) == []
        write(engine, scratch, tiny.with_vector(item))
        engine.refresh(scratch)
        assert ids(engine.search(scratch, scope, tiny.by_vector())) == ["a"]
        write(engine, scratch, pending(tiny.listing(item.key, 2), 1.0))
        engine.refresh(scratch)
        assert engine.search(scratch, scope, tiny.by_vector()) == []

    def test_a_new_vector_replaces_the_old_one(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        scope = tiny.scope(tenant)
        for name, cosine in (("a", 0.9), ("b", 0.5)):
            write(engine, scratch, tiny.with_vector(tiny.listing(tiny.key(name, tenant)), tiny.tilted(cosine)))
        engine.refresh(scratch)
        assert ids(engine.search(scratch, scope, tiny.by_vector())) == ["a", "b"]
        write(engine, scratch, tiny.with_vector(tiny.listing(tiny.key("a", tenant), 2), tiny.tilted(0.1)))
        engine.refresh(scratch)
        assert ids(engine.search(scratch, scope, tiny.by_vector())) == ["b", "a"]

    def test_hybrid_scores_are_reciprocal_rank_fusion(self, engine: SearchEngine, filled: str) -> None:
        # Text finds car-7 alone; by vector it is the seventh.
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text="roadster", limit=50))
        assert ids(found) == ["car-7", "car-1", "car-2", "car-3", "car-4", "car-5", "car-6"]
        expected = [1 / (60 + 1) + 1 / (60 + 7), *(1 / (60 + rank) for rank in range(1, 7))]
        assert [one.score for one in found] == pytest.approx(expected, rel=1e-12)
        assert [(one.text_rank, one.vector_rank) for one in found[:2]] == [(1, 7), (None, 1)]

    def test_hybrid_adds_what_only_text_finds(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text="coupe", limit=50))
        # Equal scores of 1 / 61: the text leg decides, so that a new item is not hidden behind what is merely near.
        assert ids(found) == ["car-8", "car-1", "car-2", "car-3", "car-4", "car-5", "car-6", "car-7"]
        assert found[0].score == found[1].score == pytest.approx(1 / (60 + 1), rel=1e-12)
        assert (found[0].text_rank, found[0].vector_rank, found[0].vector) == (1, None, None)

    def test_hybrid_legs_reach_deeper_than_the_limit(self, engine: SearchEngine, filled: str) -> None:
        (found,) = engine.search(filled, tiny.scope(), tiny.by_vector(text="roadster", limit=1))
        assert (found.key.id, found.text_rank, found.vector_rank) == ("car-7", 1, 7)

    @pytest.mark.parametrize("text", ["unheardof", "!!!"])
    def test_hybrid_without_a_text_match_keeps_the_vector_leg(
        self, engine: SearchEngine, filled: str, text: str
    ) -> None:
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text=text, limit=50))
        assert ids(found) == tiny.NEAREST
        assert found[0].score == pytest.approx(1 / (60 + 1), rel=1e-12)

    def test_hybrid_in_another_space_keeps_the_text_leg(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text="roadster", space=tiny.OTHER_SPACE))
        assert ids(found) == ["car-7"]
        assert found[0].score == pytest.approx(1 / (60 + 1), rel=1e-12)
