"""Versioned writes: what becomes of every write onto everything that can be stored (promise 2)."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from domain.items import MAX_REVISION, Change, Item, ItemKey, Removal
from domain.ports import SearchEngine
from domain.versions import Creation, Outcome, Phase, StoredItem, VectorState, pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, fresh_tenant, plain, same, stored, words, write

_PHASES = [Phase.CONTENT, Phase.VECTOR]
_REVISIONS = st.integers(0, 6)


def at_phase(item: Item, phase: Phase) -> StoredItem:
    """The item as content alone, or with its vector."""
    return tiny.with_vector(item) if phase is Phase.VECTOR else pending(item, 2.0)


def told(key: ItemKey, revision: int) -> Change:
    """What the host tells at this revision; every third one is a removal."""
    return Removal(key, revision) if revision % 3 == 2 else tiny.listing(key, revision, f"Title {revision}")


class EngineWriteContract(EngineBase):
    """One outcome per item, by `domain.versions.judge`."""

    def test_the_first_write_of_an_item_is_written(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant))
        assert write(engine, scratch, pending(item, 1.0)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, item), pending(item, 1.0))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_replay_is_written(self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        first, replay = at_phase(item, phase), at_phase(tiny.listing(item.key, 5), phase)
        assert [write(engine, scratch, first), write(engine, scratch, replay)] == [Outcome.WRITTEN, Outcome.WRITTEN]
        assert stored(engine, scratch, item).version == 4 * 5 + phase

    def test_a_replayed_removal_is_written(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        gone = pending(Removal(tiny.key("a", tenant), 5), 1.0)
        assert [write(engine, scratch, gone), write(engine, scratch, gone)] == [Outcome.WRITTEN, Outcome.WRITTEN]

    @pytest.mark.parametrize("phase", _PHASES)
    def test_an_older_revision_is_stale(self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase) -> None:
        newer, older = (tiny.listing(tiny.key("a", tenant), revision) for revision in (6, 5))
        write(engine, scratch, pending(newer, 1.0))
        assert write(engine, scratch, at_phase(older, phase)) is Outcome.STALE
        assert same(stored(engine, scratch, newer), pending(newer, 1.0))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_newer_revision_replaces_all(self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase) -> None:
        older, newer = tiny.listing(tiny.key("a", tenant), 5), tiny.listing(tiny.key("a", tenant), 6, "Another title")
        write(engine, scratch, tiny.with_vector(older, tiny.tilted(0.3)))
        assert write(engine, scratch, at_phase(newer, phase)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, newer), at_phase(newer, phase))

    def test_the_vector_follows_its_item(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, pending(item, 1.0))
        assert write(engine, scratch, tiny.with_vector(item), creation=Creation.FORBIDDEN) is Outcome.WRITTEN
        assert same(stored(engine, scratch, item), tiny.with_vector(item))

    def test_content_alone_takes_no_vector_back(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, tiny.with_vector(item))
        assert write(engine, scratch, pending(item, 9.0)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, item), tiny.with_vector(item))

    @pytest.mark.parametrize("creation", list(Creation))
    @pytest.mark.parametrize("phases", list(itertools.product(_PHASES, _PHASES)))
    def test_the_same_revision_with_other_content_conflicts(
        self, engine: SearchEngine, scratch: str, tenant: str, phases: tuple[Phase, Phase], creation: Creation
    ) -> None:
        first, second = phases
        item, other = (tiny.listing(tiny.key("a", tenant), 5, title) for title in ("One", "Other"))
        write(engine, scratch, at_phase(item, first))
        assert write(engine, scratch, at_phase(other, second), creation=creation) is Outcome.CONFLICTING_REVISION
        assert same(stored(engine, scratch, item), at_phase(item, first))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_removal_at_the_same_revision_conflicts(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, at_phase(item, phase))
        assert write(engine, scratch, pending(Removal(item.key, 5), 9.0)) is Outcome.CONFLICTING_REVISION
        assert same(stored(engine, scratch, item), at_phase(item, phase))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_an_item_at_the_revision_of_its_removal_conflicts(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        gone = Removal(tiny.key("a", tenant), 5)
        write(engine, scratch, pending(gone, 1.0))
        back = at_phase(tiny.listing(gone.key, 5), phase)
        assert write(engine, scratch, back) is Outcome.CONFLICTING_REVISION
        assert same(stored(engine, scratch, gone), pending(gone, 1.0))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_newer_removal_leaves_a_tombstone(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        write(engine, scratch, at_phase(item, phase))
        gone = pending(Removal(item.key, 6), 3.0)
        assert write(engine, scratch, gone) is Outcome.WRITTEN
        found = stored(engine, scratch, item)
        assert same(found, gone)
        assert (found.item, found.vector_state, found.version) == (None, VectorState.REMOVED, 4 * 6 + 0)

    def test_an_item_comes_back_with_a_newer_revision(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        back = tiny.listing(tiny.key("a", tenant), 7)
        write(engine, scratch, pending(Removal(back.key, 6), 1.0))
        assert write(engine, scratch, pending(back, 2.0)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, back), pending(back, 2.0))

    @pytest.mark.parametrize("phase", _PHASES)
    def test_a_late_older_write_does_not_bring_a_removed_item_back(
        self, engine: SearchEngine, scratch: str, tenant: str, phase: Phase
    ) -> None:
        late, gone = tiny.listing(tiny.key("a", tenant), 5), Removal(tiny.key("a", tenant), 6)
        write(engine, scratch, pending(gone, 1.0))
        assert write(engine, scratch, at_phase(late, phase)) is Outcome.STALE
        assert same(stored(engine, scratch, gone), pending(gone, 1.0))

    def test_a_removal_may_come_before_its_item(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        gone = Removal(tiny.key("a", tenant), 5)
        assert write(engine, scratch, pending(gone, 1.0)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, gone), pending(gone, 1.0))

    def test_a_late_removal_is_stale(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 6)
        write(engine, scratch, tiny.with_vector(item))
        assert write(engine, scratch, pending(Removal(item.key, 5), 1.0)) is Outcome.STALE
        assert same(stored(engine, scratch, item), tiny.with_vector(item))

    def test_a_vector_write_never_creates(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        assert write(engine, scratch, tiny.with_vector(item), creation=Creation.FORBIDDEN) is Outcome.STALE
        assert engine.read(scratch, [item.key]) == {}

    def test_a_fill_creates_with_the_vector(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 5)
        assert write(engine, scratch, tiny.with_vector(item)) is Outcome.WRITTEN
        assert same(stored(engine, scratch, item), tiny.with_vector(item))

    @pytest.mark.parametrize("revision", [5, 7])
    def test_a_vector_of_another_revision_is_stale(
        self, engine: SearchEngine, scratch: str, tenant: str, revision: int
    ) -> None:
        item, other = (tiny.listing(tiny.key("a", tenant), number) for number in (6, revision))
        write(engine, scratch, pending(item, 1.0))
        assert write(engine, scratch, tiny.with_vector(other), creation=Creation.FORBIDDEN) is Outcome.STALE
        assert same(stored(engine, scratch, item), pending(item, 1.0))

    @pytest.mark.parametrize("revision", [4, 6])
    def test_a_vector_never_replaces_a_tombstone(
        self, engine: SearchEngine, scratch: str, tenant: str, revision: int
    ) -> None:
        gone, late = Removal(tiny.key("a", tenant), 5), tiny.listing(tiny.key("a", tenant), revision)
        write(engine, scratch, pending(gone, 1.0))
        assert write(engine, scratch, tiny.with_vector(late), creation=Creation.FORBIDDEN) is Outcome.STALE
        assert same(stored(engine, scratch, gone), pending(gone, 1.0))

    def test_a_mixed_batch_tells_every_outcome_in_order(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        at_five = [tiny.listing(tiny.key(name, tenant), 5) for name in ("replayed", "older", "other", "removed")]
        write(engine, scratch, *(pending(item, 1.0) for item in at_five))
        batch: list[Change] = [
            tiny.listing(tiny.key("other", tenant), 5, "Other content"),
            tiny.listing(tiny.key("new", tenant), 1),
            tiny.listing(tiny.key("older", tenant), 4),
            tiny.listing(tiny.key("unknown-field", tenant), 1, texts={"nowhere": "x"}),
            Removal(tiny.key("removed", tenant), 6),
            tiny.listing(tiny.key("replayed", tenant), 5),
        ]
        outcomes = engine.write(scratch, [pending(change, 2.0) for change in batch])
        assert [one.key for one in outcomes] == [change.key for change in batch]
        assert words(outcomes) == ["conflicting_revision", "written", "stale", "failed", "written", "written"]
        assert [bool(one.reason) for one in outcomes if one.outcome is Outcome.FAILED] == [True]
        assert not any(one.busy for one in outcomes)

    def test_no_items_give_no_outcomes(self, engine: SearchEngine, scratch: str) -> None:
        assert engine.write(scratch, []) == []
        assert engine.read(scratch, []) == {}

    def test_a_batch_larger_than_a_page_is_written_whole(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        batch = [pending(tiny.listing(tiny.key(f"item-{number}", tenant)), 1.0) for number in range(1_200)]
        assert words(engine.write(scratch, batch)) == ["written"] * 1_200
        found = engine.read(scratch, [one.key for one in batch])
        assert [plain(found[one.key]) for one in batch] == [plain(one) for one in batch]

    @pytest.mark.parametrize("revision", [0, 1, 2**53 + 1, MAX_REVISION - 1])
    def test_every_revision_up_to_the_largest_counts(
        self, engine: SearchEngine, scratch: str, tenant: str, revision: int
    ) -> None:
        item, newer = (tiny.listing(tiny.key("a", tenant), number) for number in (revision, revision + 1))
        write(engine, scratch, tiny.with_vector(item))
        assert stored(engine, scratch, item).version == 4 * revision + 1
        assert write(engine, scratch, tiny.with_vector(newer)) is Outcome.WRITTEN
        assert write(engine, scratch, tiny.with_vector(item)) is Outcome.STALE
        assert stored(engine, scratch, item).version == 4 * (revision + 1) + 1

    @hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(order=st.lists(st.tuples(_REVISIONS, st.sampled_from(_PHASES)), min_size=1, max_size=10))
    def test_any_order_and_repetition_ends_at_the_newest(
        self, engine: SearchEngine, scratch: str, order: list[tuple[int, Phase]]
    ) -> None:
        key = tiny.key("a", fresh_tenant())
        highest = -1
        for revision, phase in order:
            change = told(key, revision)
            new = at_phase(change, phase) if isinstance(change, Item) else pending(change, 2.0)
            outcome = write(engine, scratch, new)
            assert (outcome is Outcome.STALE) == (revision < highest // 4)
            highest = max(highest, new.version)
        found = stored(engine, scratch, told(key, 0))
        assert (found.version, found.change) == (highest, told(key, highest // 4))

    @hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(order=st.lists(st.tuples(_REVISIONS, st.booleans()), min_size=1, max_size=10))
    def test_vectors_never_raise_a_revision(
        self, engine: SearchEngine, scratch: str, order: list[tuple[int, bool]]
    ) -> None:
        key = tiny.key("a", fresh_tenant())
        for revision, is_vector in order:
            if is_vector:
                write(engine, scratch, tiny.with_vector(tiny.listing(key, revision)), creation=Creation.FORBIDDEN)
            else:
                write(engine, scratch, pending(tiny.listing(key, revision), 2.0))
        newest = max((revision for revision, is_vector in order if not is_vector), default=None)
        found = engine.read(scratch, [key]).get(key)
        assert (found.change.revision if found else None) == newest
