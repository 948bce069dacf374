"""What Sidetower decides itself: repairs above all that was told, spaces that do not fit, and writers at one moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import hypothesis
import pytest
from hypothesis import strategies as st

from domain.items import Item, ItemKey, Removal
from domain.ports import Generations, SearchEngine
from domain.search import Query
from domain.versions import Creation, Outcome, Phase, StoredItem, VectorState, judge, onto, pending, repaired
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, fresh_tenant, plain, same, stored, words, write

Respace = Callable[[str, str], None]

_PHASES = [Phase.CONTENT, Phase.VECTOR]
#: Revision, title ("" = removed), phase, whether it is a repair, whether it may create.
_WRITES = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["One", "Two", ""]),
    st.sampled_from(_PHASES),
    st.booleans(),
    st.sampled_from(list(Creation)),
)


def at_phase(item: Item, phase: Phase) -> StoredItem:
    """The item as content alone, or with its vector."""
    return tiny.with_vector(item) if phase is Phase.VECTOR else pending(item, 2.0)


def told(key: ItemKey, revision: int, title: str, phase: Phase) -> StoredItem:
    """An item at that phase, or its removal when it has no title."""
    if not title:
        return pending(Removal(key, revision), 2.0)
    return at_phase(tiny.listing(key, revision, title), phase)


class EngineRepairContract(EngineBase):
    """Versions 4 x revision + 2 and + 3."""

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_repair_replaces_other_content_of_its_revision(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        item, other = (tiny.listing(tiny.key("a", tenant), 5, title) for title in ("One", "Other"))
        write(engine, scratch, at_phase(item, phase))
        assert write(engine, scratch, repaired(other, 3.0)) is Outcome.WRITTEN
        found = stored(engine, scratch, item)
        assert same(found, repaired(other, 3.0))
        assert (found.version, found.vector_state) == (4 * 5 + 2, VectorState.PENDING)
        engine.refresh(scratch)
        hits = {title: engine.search(scratch, tiny.scope(tenant), Query(title)) for title in ("One", "Other")}
        assert [len(hits[title]) for title in ("One", "Other")] == [0, 1]
        assert engine.search(scratch, tiny.scope(tenant), tiny.by_vector()) == []

    @pytest.mark.parametrize("creation", list(Creation))
    def test_its_vector_follows_a_repair(
        self, engine: SearchEngine, scratch: str, tenant: str, creation: Creation
    ) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, tiny.with_vector(item, tiny.tilted(0.1)))
        write(engine, scratch, repaired(item, 3.0))
        again = tiny.with_vector(item, tiny.tilted(0.9))
        assert write(engine, scratch, again, creation=creation) is Outcome.WRITTEN
        found = stored(engine, scratch, item)
        assert same(found, replace(again, repaired=True))
        assert found.version == 4 * 5 + 3
        engine.refresh(scratch)
        (hit,) = engine.search(scratch, tiny.scope(tenant), tiny.by_vector())
        assert hit.version == 4 * 5 + 3
        assert hit.score == pytest.approx(0.9, abs=1e-5)

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_removal_is_repaired_and_repairs(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        kept, gone = (tiny.listing(tiny.key(name, tenant), 5) for name in ("kept", "gone"))
        engine.write(scratch, [pending(Removal(kept.key, 5), 1.0), at_phase(gone, phase)])
        repairs = [repaired(kept, 3.0), repaired(Removal(gone.key, 5), 1.0)]
        assert words(engine.write(scratch, repairs)) == ["written", "written"]
        engine.refresh(scratch)
        assert list(engine.lookup(scratch, tiny.scope(tenant), ["kept", "gone"])) == ["kept"]
        assert same(stored(engine, scratch, gone), repairs[1])

    @pytest.mark.parametrize("phase", _PHASES)
    def test_what_was_told_does_not_take_a_repair_back(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        item, other = (tiny.listing(tiny.key("a", tenant), 5, title) for title in ("One", "Other"))
        write(engine, scratch, at_phase(item, phase))
        write(engine, scratch, repaired(other, 3.0))
        assert write(engine, scratch, at_phase(item, phase)) is Outcome.CONFLICTING_REVISION
        assert write(engine, scratch, repaired(item, 4.0)) is Outcome.CONFLICTING_REVISION
        assert write(engine, scratch, pending(other, 4.0)) is Outcome.WRITTEN
        assert write(engine, scratch, repaired(other, 4.0)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, item), repaired(other, 3.0))
        newer = tiny.listing(item.key, 6)
        assert write(engine, scratch, at_phase(newer, phase)) is Outcome.WRITTEN
        assert write(engine, scratch, repaired(other, 5.0)) is Outcome.STALE
        assert not stored(engine, scratch, item).repaired

    @hypothesis.settings(max_examples=30, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(order=st.lists(_WRITES, min_size=2, max_size=12))
    def test_every_order_of_writes_is_judged_by_the_rule(
        self, engine: SearchEngine, scratch: str, order: list[tuple[int, str, Phase, bool, Creation]]
    ) -> None:
        key = tiny.key("a", fresh_tenant())
        expected: StoredItem | None = None
        for revision, title, phase, is_repair, asked in order:
            new = told(key, revision, title, phase)
            new = repaired(new.change, 2.0) if is_repair else new
            creation = Creation.ALLOWED if is_repair else asked
            verdict = judge(new, expected, creation)
            assert write(engine, scratch, new, creation=creation) is (verdict or Outcome.WRITTEN)
            expected = onto(new, expected) if verdict is None else expected
            found = engine.read(scratch, [key]).get(key)
            assert (found and plain(found)) == (expected and plain(expected))
            assert (found and found.version) == (expected and expected.version)

    @pytest.mark.parametrize("creation", list(Creation))
    def test_a_vector_of_another_space_than_the_generations_fails_alone(
        self, engine: SearchEngine, scratch: str, tenant: str, creation: Creation
    ) -> None:
        ours, foreign = (tiny.listing(tiny.key(name, tenant)) for name in ("ours", "foreign"))
        write(engine, scratch, pending(ours, 1.0), pending(foreign, 1.0))
        batch = [tiny.with_vector(foreign, space=tiny.OTHER_SPACE), tiny.with_vector(ours)]
        outcomes = engine.write(scratch, batch, creation)
        assert words(outcomes) == ["failed", "written"]
        assert tiny.SPACE in outcomes[0].reason
        assert tiny.OTHER_SPACE in outcomes[0].reason
        assert not outcomes[0].busy
        assert same(stored(engine, scratch, foreign), pending(foreign, 1.0))

    def test_vectors_outside_a_space_are_found(
        self, engine: SearchEngine, generations: Generations, respace: Respace
    ) -> None:
        made = tiny.generation()
        generations.create(made)
        items = [tiny.listing(tiny.key(f"item-{number}")) for number in range(5)]
        engine.write(made.name, [tiny.with_vector(items[0]), pending(items[1], 1.0), tiny.with_vector(items[2])])
        engine.write(made.name, [pending(Removal(items[3].key, 1), 1.0)])
        respace(made.name, tiny.OTHER_SPACE)
        engine.write(made.name, [tiny.with_vector(items[4], space=tiny.OTHER_SPACE)])
        engine.refresh(made.name)
        outside = engine.scan(made.name, outside=tiny.OTHER_SPACE)
        assert [one.key.id for one in outside] == ["item-0", "item-2"]
        assert [one.key.id for one in engine.scan(made.name, outside=tiny.SPACE)] == ["item-4"]
        resumed = engine.scan(made.name, outside[0].key, 1, VectorState.READY, outside=tiny.OTHER_SPACE)
        assert [one.key.id for one in resumed] == ["item-2"]
        assert engine.scan(made.name, outside[0].key, 1, VectorState.PENDING, outside=tiny.OTHER_SPACE) == []
        generations.drop(made.name)

    @pytest.mark.parametrize("phases", [(Phase.CONTENT, Phase.VECTOR), (Phase.VECTOR, Phase.VECTOR)])
    def test_of_two_writers_of_one_revision_one_is_told_that_it_conflicts(
        self, engine: SearchEngine, scratch: str, tenant: str, phases: tuple[Phase, Phase]
    ) -> None:
        for revision in range(1, 11):
            barrier = Barrier(2)
            items = [
                [tiny.listing(tiny.key(f"item-{number}", tenant), revision, title) for number in range(30)]
                for title in ("One", "Other")
            ]

            def bring(mine: list[Item], phase: Phase, barrier: Barrier = barrier) -> list[str]:
                barrier.wait()
                return words(engine.write(scratch, [at_phase(item, phase) for item in mine]))

            with ThreadPoolExecutor(2) as pool:
                outcomes = list(pool.map(bring, items, phases))
            found = engine.read(scratch, [item.key for item in items[0]])
            for ones, others, *said in zip(*items, *outcomes, strict=True):
                assert sorted(said) == ["conflicting_revision", "written"], ones.key
                assert found[ones.key].item == (ones if said[0] == "written" else others)

    def test_a_repair_that_is_told_twice_at_once_stays_one(
        self, engine: SearchEngine, scratch: str, tenant: str
    ) -> None:
        items = [tiny.listing(tiny.key(f"item-{number}", tenant), 5) for number in range(20)]
        engine.write(scratch, [tiny.with_vector(item) for item in items])
        repairs = [repaired(replace(item, texts={"title": "Other"}), 3.0) for item in items]
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: words(engine.write(scratch, repairs)), range(2)))
        assert both == [["written"] * 20] * 2
        assert [plain(stored(engine, scratch, one.change)) for one in repairs] == [plain(one) for one in repairs]
