"""Reading: full round trips, odd ids, lookups and scans; and what an engine refuses to store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.errors import NotFound
from domain.items import Item, ItemKey, Removal
from domain.ports import Generations, SearchEngine
from domain.releases import GenerationCounts
from domain.vectors import unit
from domain.versions import Creation, ItemOutcome, Outcome, StoredItem, VectorState, pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, bits, plain, same, stored, words, write

ODD_IDS = [
    "a:b",
    "1:x",
    "a/b",
    "a b",
    " spaced ",
    "..",
    "_leading",
    "-",
    "%41",
    "a?b#c&d=e",
    'quo"te',
    "it's",
    "back\\slash",
    "*",
    "🚗🚙",
    "Zürich",
    "Zu\u0308rich",
    "字" * 133,
    "x" * 400,
    "X" * 400,
]
#: Pairs of tenant and id whose plain concatenations are equal.
COLLIDING = [("ab", "c"), ("a", "bc"), ("abc", "c"), ("ab", "cc"), ("1:a", "b"), ("1", ":ab"), ("1", "1:ab")]


def full(key: ItemKey, revision: int = 3) -> Item:
    """An item with every role filled, values that are easily bent on the way included."""
    return Item(
        key=key,
        revision=revision,
        texts={"title": 'Zürich "quoted" \\ 字 🚗\n\ttab', "body": "It's <b>bold</b> & more\u2028line"},
        categories={"make": ("volvo", "Volvo", "1"), "model": ("v 70",)},
        numbers={"price": 9_999.99, "year": 2_004.0, "tiny": 5e-324, "huge": 1.5e300, "minus": -0.1},
        signals={"views": 12.0, "share": 1 / 3},
        filters={
            "make": ("volvo", "true", "12"),
            "colour": ("red", "Zürich 字"),
            "price": (9_999.99, 0.1 + 0.2),
            "electric": (True,),
            "listed": (1_700_000_000_123.0,),
        },
        audience=("dealers", "staff of the month"),
    )


class EngineReadContract(EngineBase):
    """What was written comes back, to whom it belongs, in key order."""

    def test_every_field_comes_back_before_a_refresh(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = full(tiny.key("a", tenant))
        rng = np.random.default_rng(7)
        vector = unit(rng.standard_normal(128).astype(np.float32))
        new = tiny.with_vector(item, vector, written_at=1_700_000_000.123456)
        assert write(engine, scratch, new) is Outcome.WRITTEN
        found = stored(engine, scratch, item)
        assert plain(found) == plain(new)
        assert found.vector is not None
        assert bits(found.vector) == bits(vector)
        assert found.change.content_hash == item.content_hash

    def test_an_item_without_any_field_comes_back(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        bare = pending(Item(tiny.key("a", tenant), 0), 0.0)
        assert write(engine, scratch, bare) is Outcome.WRITTEN
        assert same(stored(engine, scratch, bare.change), bare)

    @pytest.mark.parametrize("name", ODD_IDS)
    def test_odd_ids_come_back(self, engine: SearchEngine, scratch: str, tenant: str, name: str) -> None:
        item = tiny.listing(tiny.key(name, tenant), 1, title=f"Called {name}")
        assert engine.write(scratch, [pending(item, 1.0)]) == [ItemOutcome(item.key, Outcome.WRITTEN)]
        assert engine.read(scratch, [item.key])[item.key].change == item
        assert engine.lookup(scratch, tiny.scope(tenant), [name])[name].item == item

    def test_equal_concatenations_are_different_items(self, engine: SearchEngine, scratch: str) -> None:
        items = [tiny.listing(ItemKey(tenant, tiny.KIND, name), 1, f"{tenant} {name}") for tenant, name in COLLIDING]
        assert words(engine.write(scratch, [pending(item, 1.0) for item in items])) == ["written"] * len(items)
        found = engine.read(scratch, [item.key for item in items])
        assert [found[item.key].change for item in items] == items

    def test_unknown_keys_are_left_out(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant))
        write(engine, scratch, pending(item, 1.0))
        found = engine.read(scratch, [tiny.key("b", tenant), item.key, tiny.key("a", tenant + "x")])
        assert list(found) == [item.key]

    def test_a_long_text_and_an_endless_word_come_back(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item = tiny.listing(tiny.key("a", tenant), 1, texts={"title": "x" * 40_000, "body": "many words " * 20_000})
        assert write(engine, scratch, pending(item, 1.0)) is Outcome.WRITTEN
        assert stored(engine, scratch, item).change == item

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"texts": {"title": "x", "nowhere": "y"}}, "nowhere"),
            ({"filters": {"nowhere": ("y",)}}, "nowhere"),
            ({"filters": {"price": ("cheap",)}}, "price"),
            ({"texts": {"title": "half a pair \ud83d"}}, ""),
        ],
    )
    def test_what_the_generation_cannot_hold_fails_alone(
        self, engine: SearchEngine, scratch: str, tenant: str, fields: dict[str, Any], named: str
    ) -> None:
        wrong = tiny.listing(tiny.key("wrong", tenant), 1, **fields)
        sound = [tiny.listing(tiny.key(name, tenant)) for name in ("before", "behind")]
        batch = [pending(item, 1.0) for item in (sound[0], wrong, sound[1])]
        outcomes = engine.write(scratch, batch)
        assert words(outcomes) == ["written", "failed", "written"]
        assert named in outcomes[1].reason
        assert outcomes[1].reason
        assert not outcomes[1].busy
        assert set(engine.read(scratch, [one.key for one in batch])) == {item.key for item in sound}

    def test_an_item_of_another_kind_fails_alone(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        sound = tiny.listing(tiny.key("a", tenant))
        other = Item(ItemKey(tenant, "article", "b"), 1, {"title": "An article"})
        outcomes = engine.write(scratch, [pending(other, 1.0), pending(sound, 1.0)])
        assert words(outcomes) == ["failed", "written"]
        assert engine.read(scratch, [other.key, ItemKey(tenant, "article", "a")]) == {}

    @pytest.mark.parametrize("length", [1, 127, 129])
    def test_a_vector_of_another_length_fails_alone(
        self, engine: SearchEngine, scratch: str, tenant: str, length: int
    ) -> None:
        sound, wrong = (tiny.listing(tiny.key(name, tenant)) for name in ("a", "b"))
        short = unit(np.ones(length, dtype=np.float32))
        outcomes = engine.write(scratch, [tiny.with_vector(sound), tiny.with_vector(wrong, short)])
        assert words(outcomes) == ["written", "failed"]
        assert list(engine.read(scratch, [sound.key, wrong.key])) == [sound.key]

    def test_lookup_shows_what_the_scope_may_see(self, engine: SearchEngine, filled: str) -> None:
        asked = ["car-2", "car-8", "car-9", "deal-1", "deal-2", "car-1", "nowhere"]
        found = engine.lookup(filled, tiny.scope(tiny.NORTH, "staff"), asked)
        assert set(found) == {"car-1", "car-2", "car-8", "deal-2"}
        assert {one.key.tenant for one in found.values()} == {tiny.NORTH}
        assert {one.score for one in found.values()} == {0.0}
        assert found["car-1"].item == tiny.item(tiny.key("car-1"), 1, tiny.CARS[tiny.NORTH]["car-1"])

    def test_lookup_brings_vector_space_and_version(self, engine: SearchEngine, filled: str) -> None:
        found = engine.lookup(filled, tiny.scope(), ["car-1", "car-8"])
        ready, waiting = found["car-1"], found["car-8"]
        assert ready.vector is not None
        assert bits(ready.vector) == bits(tiny.tilted(0.9))
        assert (ready.space, ready.version) == (tiny.SPACE, 4 * 1 + 1)
        assert (waiting.vector, waiting.space, waiting.version) == (None, "", 4 * 1 + 0)
        assert {ready.text_rank, ready.vector_rank} == {None}

    def test_lookup_waits_for_no_refresh(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        item, scope = tiny.listing(tiny.key("a", tenant)), tiny.scope(tenant)
        write(engine, scratch, pending(item, 1.0))
        assert list(engine.lookup(scratch, scope, ["a"])) == ["a"]
        write(engine, scratch, pending(Removal(item.key, 2), 2.0))
        assert engine.lookup(scratch, scope, ["a"]) == {}

    def test_scan_walks_every_item_in_key_order(self, engine: SearchEngine, filled: str) -> None:
        listed = [tiny.key(name, tenant) for tenant, cars in tiny.CARS.items() for name in cars]
        everything = sorted([*listed, tiny.key(tiny.REMOVED)])
        assert [one.key for one in engine.scan(filled)] == everything
        pages, after = [], None
        while page := engine.scan(filled, after, limit=3):
            pages.append([one.key for one in page])
            after = page[-1].key
        assert [len(page) for page in pages] == [3] * (14 // 3) + [14 % 3]
        assert [key for page in pages for key in page] == everything

    def test_scan_brings_whole_items(self, engine: SearchEngine, filled: str) -> None:
        found = {one.key: one for one in engine.scan(filled)}
        written: dict[ItemKey, StoredItem] = {one.key: one for batch in tiny.catalogue() for one in batch}
        assert {key: plain(one) for key, one in found.items()} == {key: plain(one) for key, one in written.items()}

    def test_scan_keeps_one_state(self, engine: SearchEngine, filled: str) -> None:
        waiting = engine.scan(filled, state=VectorState.PENDING)
        removed = engine.scan(filled, state=VectorState.REMOVED)
        assert [one.key for one in waiting] == [tiny.key("car-8")]
        assert [one.key for one in removed] == [tiny.key(tiny.REMOVED)]
        assert engine.scan(filled, waiting[-1].key, state=VectorState.PENDING) == []
        ready, after = [], None
        while page := engine.scan(filled, after, limit=2, state=VectorState.READY):
            ready += [one.key for one in page]
            after = page[-1].key
        assert len(ready) == 14 - 1 - 1
        assert ready == sorted(ready)

    def test_scan_resumes_after_a_key_that_is_not_there(self, engine: SearchEngine, filled: str) -> None:
        after = tiny.key("car-65")
        assert [one.key.id for one in engine.scan(filled, after, limit=2)] == ["car-7", "car-8"]
        assert engine.scan(filled, ItemKey("zzz", tiny.KIND, "a")) == []

    def test_scan_orders_odd_ids_by_code_point(self, engine: SearchEngine, generations: Generations) -> None:
        made = tiny.generation()
        generations.create(made)
        names = [*ODD_IDS, "a", "B", "Z", "é", "\uffee", "\U0001f697"]
        engine.write(made.name, [pending(tiny.listing(tiny.key(name)), 1.0) for name in names])
        engine.refresh(made.name)
        found, after = [], None
        while page := engine.scan(made.name, after, limit=7):
            found += [one.key for one in page]
            after = page[-1].key
        generations.drop(made.name)
        assert found == sorted(tiny.key(name) for name in names)

    def test_counts_are_those_of_each_tenant(self, generations: Generations, filled: str) -> None:
        assert generations.counts(filled) == [
            GenerationCounts(tiny.NORTH, items=10, pending=1, removed=1, oldest_pending=3.0),
            GenerationCounts(tiny.SOUTH, items=3, pending=0, removed=0, oldest_pending=0.0),
        ]

    def test_an_unknown_generation_is_not_found(self, engine: SearchEngine, generations: Generations) -> None:
        missing = tiny.generation().name
        item = tiny.listing(tiny.key("a"))
        calls: list[Callable[[], object]] = [
            lambda: engine.write(missing, [pending(item, 1.0)]),
            lambda: engine.write(missing, [tiny.with_vector(item)], Creation.FORBIDDEN),
            lambda: engine.read(missing, [item.key]),
            lambda: engine.lookup(missing, tiny.scope(), ["a"]),
            lambda: engine.search(missing, tiny.scope(), tiny.by_vector(text="red")),
            lambda: engine.scan(missing),
            lambda: engine.changes(missing),
            lambda: engine.refresh(missing),
            lambda: generations.counts(missing),
        ]
        for call in calls:
            with pytest.raises(NotFound, match=missing):
                call()
