"""Filters, exclusion and browsing; tenants, audiences and tombstones as walls (promises 8 and 11)."""

from __future__ import annotations

import pytest

from domain.errors import InvalidQuery
from domain.items import Removal
from domain.ports import SearchEngine
from domain.search import Exists, Filter, Not, Query, Range, Scope, Term, Terms
from domain.versions import pending
from tests import tiny_world as tiny
from tests.contracts.engine_base import EngineBase, ids, write

#: Filters and the north's public items that pass all of them.
PASSES: list[tuple[tuple[Filter, ...], list[str]]] = [
    ((Term("make", "fiat"),), ["car-2", "car-5"]),
    ((Term("make", "Fiat"),), []),
    ((Term("make", "fia"),), []),
    ((Term("colour", "red"),), ["car-1", "car-2"]),
    ((Term("price", 9_000),), ["car-1"]),
    ((Term("price", 30_000.5),), ["car-7"]),
    ((Term("electric", True),), ["car-3"]),
    ((Term("electric", False),), ["car-1", "car-2", "car-4", "car-5", "car-6", "car-8"]),
    ((Term("listed", 2 * tiny.DAY),), ["car-2"]),
    ((Terms("make", ("fiat", "ford", "nowhere")),), ["car-2", "car-5", "car-6"]),
    ((Terms("colour", ("blue", "red")),), ["car-1", "car-2", "car-8"]),
    ((Terms("price", (4_500, 12_000.0)),), ["car-2", "car-3"]),
    ((Terms("electric", (True, False)),), ["car-1", "car-2", "car-3", "car-4", "car-5", "car-6", "car-8"]),
    ((Terms("make", ()),), []),
    ((Range("price", gte=15_000),), ["car-5", "car-6", "car-7", "car-8"]),
    ((Range("price", gt=15_000),), ["car-6", "car-7", "car-8"]),
    ((Range("price", lte=7_000),), ["car-2", "car-4"]),
    ((Range("price", lt=7_000),), ["car-2"]),
    ((Range("price", gte=7_000, lt=12_000),), ["car-1", "car-4"]),
    ((Range("price", gt=10, lt=5),), []),
    ((Range("listed", gte=7 * tiny.DAY),), ["car-7", "car-8"]),
    ((Exists("electric"),), ["car-1", "car-2", "car-3", "car-4", "car-5", "car-6", "car-8"]),
    ((Exists("colour"), Not(Exists("electric"))), []),
    ((Not(Exists("electric")),), ["car-7"]),
    ((Not(Term("colour", "red")),), ["car-3", "car-4", "car-5", "car-6", "car-7", "car-8"]),
    ((Not(Terms("make", ("fiat", "ford", "audi"))),), ["car-1", "car-3", "car-4", "car-7"]),
    ((Not(Range("price", lt=15_000)),), ["car-5", "car-6", "car-7", "car-8"]),
    ((Not(Not(Term("make", "mg"))),), ["car-7"]),
    ((Term("make", "fiat"), Range("price", gte=10_000)), ["car-5"]),
    ((Term("colour", "red"), Term("colour", "blue")), ["car-2"]),
    ((Term("make", "fiat"), Term("make", "ford")), []),
]
_NAMES = [" and ".join(map(repr, filters)) for filters, _ in PASSES]

#: Every way of searching that would find the north's car-1, with a word that everybody's items share.
WAYS: dict[str, Query] = {
    "text": Query("red blue ghost trade", limit=50),
    "vector": tiny.by_vector(limit=50),
    "hybrid": tiny.by_vector(text="red blue ghost trade", limit=50),
    "browse": Query(limit=50),
}


class EngineFilterContract(EngineBase):
    """All filters must hold, in every leg."""

    @pytest.mark.parametrize(("filters", "passing"), PASSES, ids=_NAMES)
    def test_browsing_shows_what_passes_by_id(
        self, engine: SearchEngine, filled: str, filters: tuple[Filter, ...], passing: list[str]
    ) -> None:
        found = engine.search(filled, tiny.scope(), Query(filters=filters, limit=50))
        assert ids(found) == passing
        assert {one.score for one in found} <= {0.0}

    @pytest.mark.parametrize(("filters", "passing"), PASSES, ids=_NAMES)
    def test_filters_hold_in_both_legs(
        self, engine: SearchEngine, filled: str, filters: tuple[Filter, ...], passing: list[str]
    ) -> None:
        words = "red blue runabout door van roadster coupe"
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text=words, filters=filters, limit=50))
        assert sorted(ids(found)) == passing
        assert [one.key.id for one in found if one.text_rank is None] == []
        by_vector = sorted((one.vector_rank, one.key.id) for one in found if one.vector_rank)
        assert [name for _, name in by_vector] == [name for name in tiny.NEAREST if name in passing]

    def test_the_vector_leg_is_filtered_inside(self, engine: SearchEngine, filled: str) -> None:
        filters = (Range("price", gte=15_000),)
        found = engine.search(filled, tiny.scope(), tiny.by_vector(filters=filters, limit=3))
        assert ids(found) == ["car-5", "car-6", "car-7"]
        assert [one.vector_rank for one in found] == [1, 2, 3]

    def test_excluded_ids_make_room_for_others(self, engine: SearchEngine, filled: str) -> None:
        exclude = ("car-1", "car-3", "nowhere")
        for query, expected in (
            (Query(exclude=exclude, limit=2), ["car-2", "car-4"]),
            (Query("red", exclude=exclude, limit=1), ["car-2"]),
            (tiny.by_vector(exclude=exclude, limit=2), ["car-2", "car-4"]),
            (tiny.by_vector(text="running", exclude=exclude, limit=2), ["car-2", "car-4"]),
        ):
            assert ids(engine.search(filled, tiny.scope(), query)) == expected

    def test_many_ids_can_be_excluded(self, engine: SearchEngine, filled: str) -> None:
        exclude = (*(f"seen-{number}" for number in range(3_000)), "car-1")
        found = engine.search(filled, tiny.scope(), tiny.by_vector(text="red", exclude=exclude, limit=1))
        assert ids(found) == ["car-2"]

    def test_browsing_is_by_id_and_limited(self, engine: SearchEngine, filled: str) -> None:
        found = engine.search(filled, tiny.scope(), Query(limit=3))
        assert ids(found) == tiny.PUBLIC[:3]
        assert [(one.score, one.text_rank, one.vector_rank) for one in found] == [(0.0, None, None)] * 3

    @pytest.mark.parametrize(
        "wrong",
        [
            Term("nowhere", "x"),
            Terms("nowhere", ("x",)),
            Range("nowhere", gte=1),
            Exists("nowhere"),
            Not(Term("nowhere", "x")),
            Term("title", "red"),
            Term("price", "cheap"),
            Term("electric", "perhaps"),
            Range("make", gte=1),
            Range("price"),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("way", WAYS)
    def test_a_filter_that_cannot_hold_is_refused(
        self, engine: SearchEngine, filled: str, wrong: Filter, way: str
    ) -> None:
        query = WAYS[way]
        with pytest.raises(InvalidQuery):
            engine.search(filled, tiny.scope(), Query(query.text, query.vector, (wrong,)))


class EngineWallContract(EngineBase):
    """No search and no lookup shows another tenant's item, one outside the audience, or a removed one."""

    @pytest.mark.parametrize("way", WAYS)
    def test_a_tenant_sees_its_own_items_only(self, engine: SearchEngine, filled: str, way: str) -> None:
        found = engine.search(filled, tiny.scope(tiny.SOUTH), WAYS[way])
        assert set(ids(found)) == {"car-1", "car-2", "car-9"}
        assert {one.key.tenant for one in found} == {tiny.SOUTH}
        makes = {one.key.id: one.item.categories["make"] for one in found}
        assert makes == {"car-1": ("deere",), "car-2": ("claas",), "car-9": ("fiat",)}

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("stranger", ["nobody", "nort", "NORTH", "north ", "*"])
    def test_an_unknown_tenant_sees_nothing(self, engine: SearchEngine, filled: str, way: str, stranger: str) -> None:
        assert engine.search(filled, Scope(stranger, frozenset({"dealers"})), WAYS[way]) == []
        assert engine.lookup(filled, Scope(stranger, frozenset({"dealers"})), ["car-1", "deal-1"]) == {}

    @pytest.mark.parametrize(
        ("groups", "deals"),
        [
            ((), set()),
            (("dealers",), {"deal-1", "deal-2"}),
            (("staff",), {"deal-2"}),
            (("staff", "dealers", "unheardof"), {"deal-1", "deal-2"}),
            (("dealer",), set()),
        ],
    )
    @pytest.mark.parametrize("way", WAYS)
    def test_an_audience_sees_its_items_only(
        self, engine: SearchEngine, filled: str, way: str, groups: tuple[str, ...], deals: set[str]
    ) -> None:
        scope = tiny.scope(tiny.NORTH, *groups)
        found = engine.search(filled, scope, WAYS[way])
        assert {name for name in ids(found) if name.startswith("deal")} == deals
        assert {"car-1", "car-2"} <= set(ids(found))
        assert set(engine.lookup(filled, scope, ["deal-1", "deal-2"])) == deals

    @pytest.mark.parametrize("way", WAYS)
    def test_filters_open_no_wall(self, engine: SearchEngine, filled: str, way: str) -> None:
        query = WAYS[way]
        opened = Query(query.text, query.vector, (Not(Term("make", "nothing")),), limit=50)
        found = engine.search(filled, tiny.scope(), opened)
        assert ids(found) == ids(engine.search(filled, tiny.scope(), query))
        trade = Query(query.text, query.vector, (Term("make", "audi"), Term("price", 100)), limit=50)
        assert engine.search(filled, tiny.scope(), trade) == []

    @pytest.mark.parametrize("way", WAYS)
    def test_a_tombstone_is_never_found(self, engine: SearchEngine, filled: str, way: str) -> None:
        scope = tiny.scope(tiny.NORTH, "dealers", "staff")
        assert tiny.REMOVED not in ids(engine.search(filled, scope, WAYS[way]))
        assert engine.lookup(filled, scope, [tiny.REMOVED]) == {}
        assert engine.read(filled, [tiny.key(tiny.REMOVED)])[tiny.key(tiny.REMOVED)].item is None

    def test_removed_items_take_no_places(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        """Left out while it searches: dropped afterwards, the answer would be short of those below them."""
        items = [tiny.listing(tiny.key(f"i{number}", tenant), 1, "Red ghost") for number in range(8)]
        write(engine, scratch, *map(tiny.with_vector, items))
        write(engine, scratch, *(pending(Removal(item.key, 2), 2.0) for item in items[:5]))
        engine.refresh(scratch)
        for query in (Query(limit=3), Query("red", limit=3)):
            assert ids(engine.search(scratch, tiny.scope(tenant), query)) == ["i5", "i6", "i7"]

    def test_a_removed_item_disappears_from_every_way(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        scope = tiny.scope(tenant)
        item = tiny.listing(tiny.key("a", tenant), 1, "Red ghost", filters={"make": ("fiat",)})
        ways = [*WAYS.values(), Query(filters=(Term("make", "fiat"),)), Query(filters=(Not(Term("make", "x")),))]
        write(engine, scratch, tiny.with_vector(item))
        engine.refresh(scratch)
        assert [ids(engine.search(scratch, scope, query)) for query in ways] == [["a"]] * 6
        write(engine, scratch, pending(Removal(item.key, 2), 1.0))
        engine.refresh(scratch)
        assert [ids(engine.search(scratch, scope, query)) for query in ways] == [[]] * 6

    def test_an_audience_can_be_narrowed(self, engine: SearchEngine, scratch: str, tenant: str) -> None:
        key = tiny.key("a", tenant)
        write(engine, scratch, tiny.with_vector(tiny.listing(key, 1, "Red ghost")))
        write(engine, scratch, tiny.with_vector(tiny.listing(key, 2, "Red ghost", audience=("staff",))))
        engine.refresh(scratch)
        for query in WAYS.values():
            assert engine.search(scratch, tiny.scope(tenant), query) == []
            assert ids(engine.search(scratch, tiny.scope(tenant, "staff"), query)) == ["a"]
