"""The contract of generations: create, list, count and drop, each isolated from the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ConfigurationError, NotFound
from domain.items import ItemKey, Removal
from domain.ports import Generations, SearchEngine
from domain.releases import Generation, GenerationCounts
from domain.search import Exists, Query, Term
from domain.versions import Creation, Outcome, StoredItem, pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import ids, write

Create = Callable[..., Generation]


class GenerationsContract:
    """Subclasses supply the fixtures `engine` and `generations`."""

    @pytest.fixture
    def create(self, generations: Generations) -> Iterator[Create]:
        """Creates a generation (`Generation` fields by name) that is dropped at the end."""
        names: list[str] = []

        def _create(**fields: Any) -> Generation:
            made = tiny.generation(**fields)
            names.append(made.name)
            generations.create(made)
            return made

        yield _create
        for name in names:
            generations.drop(name)

    def test_a_new_generation_is_listed_with_all_its_fields(self, generations: Generations, create: Create) -> None:
        made = create(text_weights={"title": 2.5, "body": 1.0, "notes": 0.5}, filter_types={"make": "keyword"})
        (found,) = [one for one in generations.all() if one.name == made.name]
        assert found == made
        assert list(found.text_weights) == ["title", "body", "notes"]

    def test_a_new_generation_is_empty(self, engine: SearchEngine, generations: Generations, create: Create) -> None:
        name = create().name
        engine.refresh(name)
        assert engine.scan(name) == []
        assert generations.counts(name) == []
        assert engine.search(name, tiny.scope(), Query()) == []
        assert engine.search(name, tiny.scope(), tiny.by_vector(text="red")) == []

    def test_generations_are_listed_by_name(self, generations: Generations, create: Create) -> None:
        made = sorted(create().name for _ in range(3))
        listed = [one.name for one in generations.all()]
        assert listed == sorted(listed)
        assert [name for name in listed if name in made] == made

    def test_creating_the_same_again_changes_nothing(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        made = create()
        item = tiny.listing(tiny.key("a"))
        write(engine, made.name, pending(item, 1.0))
        generations.create(made)
        generations.create(tiny.generation(made.name, created_at=made.created_at + 60))
        assert [one for one in generations.all() if one.name == made.name] == [made]
        assert list(engine.read(made.name, [item.key])) == [item.key]

    @pytest.mark.parametrize(
        "other",
        [
            {"space": tiny.OTHER_SPACE},
            {"kind": "article"},
            {"text_weights": {"title": 3.0}},
            {"text_weights": {"title": 3.0, "body": 2.0}},
            {"filter_types": {"make": "keyword"}},
            {"filter_types": {**tiny.generation().filter_types, "price": "keyword"}},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_a_taken_name_is_refused(self, generations: Generations, create: Create, other: dict[str, Any]) -> None:
        made = create()
        with pytest.raises(ConfigurationError, match=made.name):
            generations.create(tiny.generation(made.name, **other))
        assert [one for one in generations.all() if one.name == made.name] == [made]

    def test_the_audience_field_is_part_of_what_a_generation_is_made_of(
        self, generations: Generations, create: Create
    ) -> None:
        walled, open_ = create(audience="visible_to"), create(audience="")
        listed = {one.name: one.audience for one in generations.all()}
        assert (listed[walled.name], listed[open_.name]) == ("visible_to", "")
        for made, other in ((walled, ""), (open_, "visible_to"), (walled, "groups")):
            with pytest.raises(ConfigurationError, match=made.name):
                generations.create(tiny.generation(made.name, audience=other))

    def test_a_generation_that_knows_nothing_of_its_audience_agrees_with_any(
        self, generations: Generations, create: Create
    ) -> None:
        old, walled = create(audience=None), create(audience="visible_to")
        for audience in ("", "visible_to"):
            generations.create(tiny.generation(old.name, audience=audience))
        generations.create(tiny.generation(walled.name, audience=None))
        listed = {one.name: one.audience for one in generations.all()}
        assert (listed[old.name], listed[walled.name]) == (None, "visible_to")

    def test_generations_do_not_see_each_other(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        one, other = create().name, create(space=tiny.OTHER_SPACE).name
        key = tiny.key("a")
        write(engine, one, tiny.with_vector(tiny.listing(key, 7, "Red here")))
        write(engine, other, tiny.with_vector(tiny.listing(key, 3, "Blue there"), space=tiny.OTHER_SPACE))
        for name in (one, other):
            engine.refresh(name)
        assert [engine.read(name, [key])[key].change.revision for name in (one, other)] == [7, 3]
        assert [ids(engine.search(name, tiny.scope(), Query("red"))) for name in (one, other)] == [["a"], []]
        assert [ids(engine.search(name, tiny.scope(), tiny.by_vector())) for name in (one, other)] == [["a"], []]
        write(engine, other, pending(Removal(key, 4), 1.0))
        engine.refresh(other)
        assert [len(engine.lookup(name, tiny.scope(), ["a"])) for name in (one, other)] == [1, 0]
        assert [counts.removed for counts in generations.counts(other)] == [1]
        assert [counts.removed for counts in generations.counts(one)] == [0]

    def test_generations_have_their_own_fields(self, engine: SearchEngine, create: Create) -> None:
        one = create(text_weights={"title": 1.0}, filter_types={"make": "keyword"}).name
        other = create(text_weights={"notes": 1.0}, filter_types={"make": "number"}).name
        by_word = tiny.listing(tiny.key("a"), 1, texts={"title": "Red"}, filters={"make": ("volvo",)})
        by_number = tiny.listing(tiny.key("a"), 1, texts={"notes": "Red"}, filters={"make": (5.0,)})
        assert [write(engine, one, pending(item, 1.0)) for item in (by_word, by_number)] == ["written", "failed"]
        assert [write(engine, other, pending(item, 1.0)) for item in (by_number, by_word)] == ["written", "failed"]
        for name in (one, other):
            engine.refresh(name)
        assert ids(engine.search(one, tiny.scope(), Query("red", filters=(Term("make", "volvo"),)))) == ["a"]
        assert ids(engine.search(other, tiny.scope(), Query("red", filters=(Term("make", 5),)))) == ["a"]

    def test_counts_of_every_tenant(self, engine: SearchEngine, generations: Generations, create: Create) -> None:
        name = create().name
        a, b, c, d = (tiny.listing(tiny.key(each, "one")) for each in "abcd")
        engine.write(name, [pending(a, 9.0), pending(b, 5.0), pending(c, 1.0), tiny.with_vector(d, written_at=0.5)])
        engine.write(name, [tiny.with_vector(c), pending(Removal(ItemKey("two", tiny.KIND, "a"), 1), 2.0)])
        engine.refresh(name)
        assert generations.counts(name) == [
            GenerationCounts("one", items=4, pending=2, removed=0, oldest_pending=5.0),
            GenerationCounts("two", items=0, pending=0, removed=1, oldest_pending=0.0),
        ]

    def test_counts_of_what_got_its_vector_since_a_moment(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        a, b, c, d = (tiny.listing(tiny.key(each, "one")) for each in "abcd")
        engine.write(name, [tiny.with_vector(a, written_at=4.0), tiny.with_vector(b, written_at=5.0), pending(c, 6.0)])
        engine.write(name, [pending(Removal(d.key, 1), 7.0), pending(tiny.listing(tiny.key("a", "two")), 8.0)])
        engine.refresh(name)
        assert [one.recent for one in generations.counts(name)] == [0, 0]
        for since, recent in ((3.0, 2), (4.0, 2), (4.5, 1), (5.5, 0)):
            assert [one.recent for one in generations.counts(name, since)] == [recent, 0]

    def test_counts_of_many_tenants(self, engine: SearchEngine, generations: Generations, create: Create) -> None:
        name = create().name
        tenants = [f"tenant-{number:03}" for number in range(150)]
        engine.write(name, [pending(tiny.listing(tiny.key("a", tenant)), 1.0) for tenant in tenants])
        engine.refresh(name)
        assert [(one.tenant, one.items) for one in generations.counts(name)] == [(tenant, 1) for tenant in tenants]

    def test_old_tombstones_are_purged_and_nothing_else(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        gone = [tiny.key(each, tenant) for tenant in ("one", "two") for each in "ab"]
        young = tiny.key("young", "one")
        old_items = [tiny.listing(tiny.key("kept", tenant)) for tenant in ("one", "two")]
        removals = [pending(Removal(key, 1), 9.0) for key in gone]
        engine.write(name, [*removals, pending(Removal(young, 1), 10.0), *(pending(one, 1.0) for one in old_items)])
        engine.refresh(name)
        assert generations.purge(name, 10.0, limit=9) == len(gone)
        engine.refresh(name)
        left = {young, *(one.key for one in old_items)}
        assert set(engine.read(name, [*gone, *left])) == left
        assert [(one.tenant, one.items, one.removed) for one in generations.counts(name)] == [
            ("one", 1, 1),
            ("two", 1, 0),
        ]
        assert generations.purge(name, 10.0, limit=9) == 0

    def test_a_purge_takes_the_oldest_first_up_to_its_limit(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        keys = [tiny.key(each) for each in "cadb"]
        engine.write(name, [pending(Removal(key, 1), float(age)) for age, key in enumerate(keys)])
        engine.refresh(name)
        assert generations.purge(name, 100.0, limit=3) == 3
        assert list(engine.read(name, keys)) == [keys[3]]
        engine.refresh(name)
        assert generations.purge(name, 100.0, limit=3) == 4 - 3

    def test_a_removed_item_that_came_back_is_never_purged(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        shown, unseen = tiny.listing(tiny.key("shown"), 2), tiny.listing(tiny.key("unseen"), 2)
        engine.write(name, [pending(Removal(one.key, 1), 1.0) for one in (shown, unseen)])
        write(engine, name, pending(shown, 1.0))
        engine.refresh(name)
        # No refresh any more: what the purge finds may be older than what is stored.
        write(engine, name, pending(unseen, 1.0))
        assert generations.purge(name, 100.0, limit=9) == 0
        found = engine.read(name, [shown.key, unseen.key])
        assert [found[one.key].item for one in (shown, unseen)] == [shown, unseen]

    def test_a_newer_revision_follows_a_purge_at_once(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        reborn = tiny.listing(tiny.key("a"), 6)
        remove(engine, name, reborn.key)
        assert generations.purge(name, 2.0, limit=9) == 1
        assert write(engine, name, tiny.with_vector(reborn)) is Outcome.WRITTEN
        engine.refresh(name)
        assert ids(engine.search(name, tiny.scope(), tiny.by_vector())) == ["a"]

    def test_an_older_revision_is_stale_before_the_purge_and_new_after_it(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        late = tiny.listing(tiny.key("a"), 3)
        remove(engine, name, late.key)
        assert write(engine, name, pending(late, 2.0)) is Outcome.STALE
        assert generations.purge(name, 2.0, limit=9) == 1
        self.forget_deleted_versions(engine, name)
        assert write(engine, name, pending(late, 2.0)) is Outcome.WRITTEN

    def forget_deleted_versions(self, engine: SearchEngine, name: str) -> None:
        """Wait until the engine itself remembers nothing of what was deleted."""

    def test_what_was_purged_is_found_by_nobody_who_saw_it_alive(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        items = [tiny.listing(tiny.key(each)) for each in "abc"]
        nearness = (0.95, 0.9, 0.95)
        engine.write(
            name, [tiny.with_vector(one, tiny.tilted(near)) for one, near in zip(items, nearness, strict=True)]
        )
        engine.refresh(name)
        assert ids(engine.search(name, tiny.scope(), tiny.by_vector())) == ["a", "c", "b"]
        engine.write(name, [pending(Removal(one.key, 2), 3.0) for one in items[::2]])
        engine.refresh(name)
        assert generations.purge(name, 4.0, limit=9) == 2
        engine.refresh(name)
        # Nor do they take the place of others.
        for query in (tiny.by_vector(limit=1), tiny.by_vector(text="plain", limit=1), Query("plain"), Query()):
            assert ids(engine.search(name, tiny.scope(), query)) == ["b"]
        write(engine, name, tiny.with_vector(tiny.listing(tiny.key("d")), tiny.tilted(0.8)))
        engine.refresh(name)
        assert ids(engine.search(name, tiny.scope(), tiny.by_vector())) == ["b", "d"]

    def test_an_unknown_generation_cannot_be_purged(self, generations: Generations) -> None:
        with pytest.raises(NotFound):
            generations.purge(tiny.generation().name, 1.0, limit=9)

    def test_a_dropped_generation_is_gone(self, engine: SearchEngine, generations: Generations, create: Create) -> None:
        name = create().name
        item = tiny.listing(tiny.key("a"))
        write(engine, name, tiny.with_vector(item))
        engine.refresh(name)
        assert ids(engine.search(name, tiny.scope(), tiny.by_vector(text="plain"))) == ["a"]
        generations.drop(name)
        assert name not in [one.name for one in generations.all()]
        for call in (
            lambda: engine.read(name, [item.key]),
            lambda: engine.search(name, tiny.scope(), tiny.by_vector(text="plain")),
            lambda: engine.scan(name),
            lambda: generations.counts(name),
        ):
            with pytest.raises(NotFound):
                call()

    @pytest.mark.parametrize("creation", list(Creation))
    def test_a_late_write_does_not_bring_a_generation_back(
        self, engine: SearchEngine, generations: Generations, create: Create, creation: Creation
    ) -> None:
        name = create().name
        generations.drop(name)
        with pytest.raises(NotFound, match=name):
            engine.write(name, [tiny.with_vector(tiny.listing(tiny.key("a")))], creation)
        assert name not in [one.name for one in generations.all()]

    def test_dropping_none_changes_nothing(self, generations: Generations, create: Create) -> None:
        made = create()
        generations.drop(tiny.generation().name)
        assert made in generations.all()

    def test_a_name_can_be_used_again_after_a_drop(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        key = tiny.key("a")
        write(engine, name, tiny.with_vector(tiny.listing(key, 9)))
        engine.refresh(name)
        assert ids(engine.search(name, tiny.scope(), tiny.by_vector())) == ["a"]
        generations.drop(name)
        again = create(name=name, space=tiny.OTHER_SPACE, filter_types={"size": "number"})
        assert engine.read(name, [key]) == {}
        reborn = tiny.listing(key, 1, filters={"size": (4.0,)})
        vector = tiny.tilted(0.25)
        assert write(engine, name, tiny.with_vector(reborn, vector, space=again.space)) is Outcome.WRITTEN
        engine.refresh(name)
        (found,) = engine.search(name, tiny.scope(), tiny.by_vector(space=again.space, filters=(Exists("size"),)))
        assert found.score == pytest.approx(0.25, abs=1e-5)
        assert engine.search(name, tiny.scope(), tiny.by_vector()) == []

    def test_a_vector_of_the_generation_that_was_dropped_does_not_fit_the_one_made_anew(
        self, engine: SearchEngine, generations: Generations, create: Create
    ) -> None:
        name = create().name
        late = tiny.listing(tiny.key("late"))
        assert write(engine, name, tiny.with_vector(late)) is Outcome.WRITTEN
        generations.drop(name)
        again = create(name=name, space=tiny.OTHER_SPACE)
        # The name may be remembered as it was for a second; what got in by then is found by its space.
        deadline = time.monotonic() + 30
        while write(engine, name, tiny.with_vector(replace(late, revision=late.revision + 1))) is Outcome.WRITTEN:
            assert time.monotonic() < deadline
            late = replace(late, revision=late.revision + 1)
            engine.refresh(name)
            assert ids_of(engine.scan(name, outside=again.space)) == ["late"]
        fresh = tiny.with_vector(tiny.listing(tiny.key("fresh")), space=again.space)
        assert write(engine, name, fresh) is Outcome.WRITTEN


def ids_of(stored: list[StoredItem]) -> list[str]:
    """The ids, in order."""
    return [one.key.id for one in stored]


def remove(engine: SearchEngine, generation: str, key: ItemKey) -> None:
    """A tombstone of revision 5, written at 1.0."""
    write(engine, generation, pending(Removal(key, 5), 1.0))
    engine.refresh(generation)
