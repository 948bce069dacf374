"""Filling: one write with the vector, safe to repeat, one broken document costs one."""

from __future__ import annotations

import pytest

from domain.errors import BundleRefused, InvalidItem
from domain.items import Item, Removal
from domain.search import Query, QueryVector, Scope
from domain.versions import VectorState
from indexer.fill import BATCH_CHARACTERS, BROKEN_BUNDLE, Filler
from tests.indexer.conftest import House, item
from tests.support.toy_embedder import ToyEmbedder


def test_filled_items_are_found_by_vector_at_once(house: House) -> None:
    house.begin()
    report = Filler(house.engine, "listing-g1", house.embedder).fill([item(1, title="red car"), item(2, title="sofa")])
    assert (report.total, report.written, report.embedded) == (2, 2, 2)
    house.engine.refresh("listing-g1")
    [vector] = house.embedder.embed([item(3, title="red car")])
    query = Query(vector=QueryVector(vector, "toy"), limit=1)
    assert [one.key.id for one in house.engine.search("listing-g1", Scope("a"), query)] == ["i1"]


def test_a_second_run_touches_nothing(house: House) -> None:
    house.begin()
    items = [item(number) for number in range(300)]
    Filler(house.engine, "listing-g1", house.embedder).fill(items)
    house.embedder.embedded.clear()
    report = Filler(house.engine, "listing-g1", house.embedder).fill(items)
    assert (report.unchanged, report.written, house.embedder.embedded) == (300, 0, [])


def test_without_revisions_equal_content_is_enough(house: House) -> None:
    house.begin()
    Filler(house.engine, "listing-g1", house.embedder, revised=False).fill([item(1, 100)])
    report = Filler(house.engine, "listing-g1", house.embedder, revised=False).fill([item(1, 200)])
    assert (report.unchanged, report.written) == (1, 0)


def test_a_newer_revision_with_the_same_inputs_keeps_its_vector(house: House) -> None:
    house.begin()
    Filler(house.engine, "listing-g1", house.embedder).fill([item(1, 1)])
    report = Filler(house.engine, "listing-g1", house.embedder).fill([item(1, 2, signals={"views": 1.0})])
    assert (report.carried, report.embedded, report.written) == (1, 0, 1)
    assert house.engine.read("listing-g1", [item(1).key])[item(1).key].version == 4 * 2 + 1


def test_every_outcome_is_counted(house: House) -> None:
    house.begin()
    house.live.apply([item(1, 5), item(2, 5), Removal(item(3).key, 5)])
    broken = InvalidItem("cars.jsonl line 4", expected="an id", got="none", fix="Give it one.")
    told: list[Item | InvalidItem] = [item(1, 4), item(2, 5, title="other"), item(3, 4), broken, item(4, 1)]
    report = Filler(house.engine, "listing-g1", house.embedder).fill(told)
    assert (report.total, report.stale, report.conflicting, report.failed, report.written) == (5, 2, 1, 1, 1)
    assert any("cars.jsonl line 4" in error for error in report.errors)


def test_an_item_that_breaks_the_embedder_keeps_its_text_and_its_neighbours_get_their_vectors(house: House) -> None:
    house.begin()
    poison = ToyEmbedder(poison="poison")
    told = [*(item(number) for number in range(9)), item(9, title="poison"), item(10, title="more poison")]
    for once_more in (False, True):
        report = Filler(house.engine, "listing-g1", poison).fill(told)
        assert (report.total, report.failed) == (11, 2)
        assert (report.written, report.unchanged) == ((0, 9) if once_more else (9, 0))
        assert "a/listing/i9: stored without a vector: ValueError" in " ".join(report.errors)
    stored = house.engine.read("listing-g1", [one.key for one in told])
    assert {key.id for key, one in stored.items() if one.vector_state is VectorState.PENDING} == {"i9", "i10"}
    report = Filler(house.engine, "listing-g1", house.embedder).fill(told)
    assert (report.written, report.failed, report.unchanged) == (2, 0, 9)


def test_a_bundle_that_embeds_nothing_at_all_is_told_instead_of_its_items(house: House) -> None:
    house.begin()
    with pytest.raises(BundleRefused, match="a bundle that embeds items"):
        Filler(house.engine, "listing-g1", ToyEmbedder(poison="poison")).fill(
            [item(number, title=f"poison {number}") for number in range(BROKEN_BUNDLE)]
        )


def test_an_item_named_twice_ends_at_its_newest_revision(house: House) -> None:
    house.begin()
    Filler(house.engine, "listing-g1", house.embedder).fill([item(1, 1), item(1, 3, title="third"), item(1, 2)])
    assert house.engine.read("listing-g1", [item(1).key])[item(1).key].change.revision == 3


def test_a_catalogue_of_many_batches_is_filled_whole_and_counted_once(house: House) -> None:
    house.begin()
    # Long texts end a batch before its number of items does; every item comes twice, the second time newer.
    long = "word " * (BATCH_CHARACTERS // 50)
    told = [item(number, revision, title=f"{number} {long}") for revision in (1, 2) for number in range(30)]
    batches: list[int] = []
    filler = Filler(
        house.engine, "listing-g1", house.embedder, on_progress=lambda report: batches.append(report.written)
    )
    report = filler.fill(told)
    assert len(batches) >= 60 // 11
    assert batches == sorted(batches)
    assert report.total == 60
    assert report.written + report.stale + report.unchanged == 60
    keys = [one.key for one in told[:30]]
    assert {one.change.revision for one in house.engine.read("listing-g1", keys).values()} == {2}
    assert len(house.engine.read("listing-g1", keys)) == 30
