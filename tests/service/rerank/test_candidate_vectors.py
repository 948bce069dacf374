"""What is kept of items: at most 2 s behind the index, never across tenants, audiences or spaces, a bounded number."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.features import TEXT_READ
from domain.items import ItemKey, Removal
from domain.ports import SearchEngine
from domain.search import Candidate, Scope
from domain.versions import pending
from rerank_service.candidate_vectors import BEHIND_SECONDS, CandidateVectors
from rerank_service.known import Known
from tests.service.rerank.faults import OneCallFails
from tests.service.rerank.world import LISTING, SPACE, World, listing
from tests.support.service_client import ServiceClient
from tests.support.toy_bundle import ToyBundle

NORTH = Scope("north")
DEALER = Scope("north", frozenset({"dealers"}))


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Counting(OneCallFails):
    """The engine; tells which ids were looked up."""

    def __init__(self, engine: SearchEngine, failing: str = "") -> None:
        super().__init__(engine, failing)
        self.asked: list[list[str]] = []

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> Mapping[str, Candidate]:
        self.asked.append(list(ids))
        return super().lookup(generation, scope, ids)


class Kept:
    """Vectors that are kept of the small world, asked for by hand."""

    def __init__(self, world: World, capacity: int = 100, engine: Any = None) -> None:
        self.clock = Clock()
        self.engine: Any = Counting(world.engine) if engine is None else engine
        port: Any = self.engine
        self.vectors = CandidateVectors(port, capacity, self.clock)

    def read(self, *ids: str, scope: Scope = NORTH, space: str = SPACE, generation: str = "listing-g1") -> Known:
        return self.vectors.read(generation, space, scope, ids, lambda _: 10.0)

    def there(self, *ids: str, **asked: Any) -> list[bool]:
        return [bool(one) for one in self.read(*ids, **asked).comparable]

    def later(self, seconds: float = BEHIND_SECONDS) -> None:
        self.clock.now += seconds


@pytest.fixture
def kept(world: World) -> Iterator[Kept]:
    made = Kept(world)
    yield made
    made.vectors.close()


def vector_of(title: str) -> Any:
    return ToyBundle().embed_query(title)


def test_what_was_read_is_not_read_again(kept: Kept) -> None:
    first = kept.read("n1", "n2", "nowhere")
    again = kept.read("n2", "nowhere", "n1")
    assert kept.engine.asked == [["n1", "n2", "nowhere"]]
    assert first.comparable.tolist() == [True, True, False]
    assert again.comparable.tolist() == [True, False, True]
    assert again.vectors[2].tolist() == first.vectors[0].tolist()
    assert kept.there("n1", "n3") == [True, True]
    assert kept.engine.asked[1:] == [["n3"]]


def test_signals_and_the_beginnings_of_texts_are_kept(world: World, kept: Kept) -> None:
    title, more = "red estate", "long " * TEXT_READ
    world.tell("north", LISTING, listing("long", title, description=more, views=5, make="bmw", price=1))
    for _ in range(2):
        known = kept.read("long")
    (item,) = [one.item for one in known.candidates if one is not None]
    assert (dict(item.signals), item.texts) == ({"views": 5.0}, {"title": title, "description": more[:TEXT_READ]})
    assert (item.categories, item.numbers, item.filters) == ({}, {}, {})


def test_a_change_is_known_within_two_seconds(world: World, kept: Kept) -> None:
    old = kept.read("n1").vectors[0]
    world.tell("north", LISTING, listing("n1", "blue submarine", version=2))
    kept.later()
    found = kept.read("n1").vectors[0]
    assert not np.array_equal(found, old)
    assert kept.engine.asked == [["n1"], ["n1"]]
    world.apply([Removal(ItemKey("north", "listing", "n1"), 3)])
    kept.later()
    assert kept.there("n1") == [False]


def test_an_item_that_was_not_there_is_found_once_it_is(world: World, kept: Kept) -> None:
    assert kept.there("new") == [False]
    world.tell("north", LISTING, listing("new", "red van"), embed=False)
    kept.later()
    assert kept.there("new") == [False]
    world.embed_all()
    kept.later()
    assert kept.there("new") == [True]


def test_what_cannot_be_followed_is_not_used(world: World, kept: Kept) -> None:
    kept.read("n1")
    kept.later()
    kept.engine.failing = "changes"
    for _ in range(2):
        assert kept.there("n1") == [True]
    assert kept.engine.asked == [["n1"]] * 3
    kept.engine.failing = ""
    assert kept.there("n1") == [True]
    assert kept.engine.asked == [["n1"]] * 3


def test_a_write_during_the_read_is_not_passed_over(world: World) -> None:
    class WrittenMeanwhile(Counting):
        reader: Kept

        def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> Mapping[str, Candidate]:
            found = super().lookup(generation, scope, ids)
            if len(self.asked) == 1:
                world.tell("north", LISTING, listing("n1", "blue submarine", version=2))
                # Another request learns of the write before this one's answer is kept.
                self.reader.later()
                self.reader.read()
            return found

    engine = WrittenMeanwhile(world.engine)
    kept = engine.reader = Kept(world, engine=engine)
    old = kept.read("n1").vectors[0]
    assert not np.array_equal(kept.read("n1").vectors[0], old)
    kept.vectors.close()


def test_a_generation_that_was_made_anew_is_another_one(world: World, kept: Kept) -> None:
    assert kept.there("n1") == [True]
    made = next(one for one in world.generations.all() if one.name == "listing-g1")
    world.generations.drop("listing-g1")
    world.generations.create(made)
    kept.later()
    assert kept.there("n1") == [False]


def test_equal_ids_of_two_tenants_never_meet(kept: Kept) -> None:
    for _ in range(2):
        north, south = kept.read("shared"), kept.read("shared", scope=Scope("south"))
        assert not np.array_equal(north.vectors[0], south.vectors[0])
        assert kept.there("s1", "n1") == [False, True]
        assert kept.there("s1", "n1", scope=Scope("south")) == [True, False]


def test_audiences_are_told_apart_whoever_comes_first(world: World) -> None:
    for order in ([DEALER, NORTH], [NORTH, DEALER]):
        kept = Kept(world)
        for scope in (*order, *order):
            known = kept.read("dealer", scope=scope)
            assert (known.candidates[0] is not None, known.comparable[0]) == (scope is DEALER, scope is DEALER)
        kept.vectors.close()


def test_no_vector_of_another_space_is_told(kept: Kept) -> None:
    assert kept.there("n1") == [True]
    for _ in range(2):
        foreign = kept.read("n1", space="other")
        assert (foreign.comparable.tolist(), foreign.of_other_spaces("other")) == ([False], 1)
        assert not foreign.vectors.any()
    assert kept.there("n1") == [True]


def test_only_so_many_are_kept_those_used_last(world: World) -> None:
    kept = Kept(world, capacity=3)
    kept.read("n1", "n2", "n3")
    kept.read("n1", "n3")
    kept.read("n4")
    kept.engine.asked.clear()
    kept.read("n1", "n3", "n4")
    assert kept.engine.asked == []
    kept.read("n2")
    assert kept.engine.asked == [["n2"]]
    # More than fit at once are read all the same.
    assert kept.there("n1", "n2", "n3", "n4", "n5") == [True] * 5
    kept.vectors.close()


def test_what_does_not_come_in_time_keeps_its_place(world: World) -> None:
    """The others are ranked, instead of the whole answer being degraded."""

    class HangsFor(OneCallFails):
        let_go = threading.Event()

        def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> Mapping[str, Candidate]:
            if "n2" in ids:
                self.let_go.wait(10)
            return super().lookup(generation, scope, ids)

    engine = HangsFor(world.engine, "")
    client = ServiceClient(world.app(engine=engine))
    client.rerank("n5", "n4", "n1", query="red estate")
    answer = client.rerank("n5", "n2", "n4", "n1", query="red estate diesel", deadline_ms=1_000, explain=True)
    engine.let_go.set()
    assert (answer["degraded"], answer["ranked_by"]) == (None, "toy-1")
    assert [one["id"] for one in answer["results"]][1] == "n2"
    assert [set(one["parts"]) == {"engine"} for one in answer["results"]] == [False, True, False, False]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("ab"), st.sampled_from([(), ("dealers",)])),
        st.tuples(st.just("remove"), st.sampled_from("ab"), st.just(())),
        st.tuples(st.just("read"), st.sampled_from("ab"), st.sampled_from([(), ("dealers",)])),
        st.tuples(st.just("wait"), st.sampled_from([0.3, 0.9, 1.5, 2.5]), st.just(())),
    ),
    min_size=5,
    max_size=25,
)


@settings(deadline=None, max_examples=25)
@given(steps=STEPS)
def test_nothing_is_told_that_was_not_so_within_the_last_two_seconds(
    steps: list[tuple[str, Any, tuple[str, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("kept")
    world = World(folder)
    kept = Kept(world, capacity=2)
    #: When each revision (0: none; and the groups that see it) of each item became the stored one.
    states: dict[str, list[tuple[float, int, tuple[str, ...]]]] = {id_: [(-1e9, 0, ())] for id_ in "ab"}
    for number, (what, which, groups) in enumerate(steps, start=1):
        if what == "wait":
            kept.later(which)
        elif what == "read":
            known = kept.read(which, scope=Scope("north", frozenset(groups)))
            told = known.candidates[0].item.revision if known.candidates[0] else 0
            ends = [start for start, _, _ in states[which][1:]] + [1e18]
            lately = [
                one for one, end in zip(states[which], ends, strict=True) if end >= kept.clock.now - BEHIND_SECONDS
            ]
            allowed = {revision if not seen or set(seen) & set(groups) else 0 for _, revision, seen in lately}
            assert told in allowed
        else:
            key = ItemKey("north", "listing", which)
            visible = list(groups) or ["*"]
            item = LISTING.item(listing(which, "red car", version=number, visible_to=visible), tenant="north")
            change = item if what == "write" else Removal(key, number)
            world.engine.write("listing-g1", [pending(change, time.time())])
            states[which].append((kept.clock.now, number if what == "write" else 0, groups))
    kept.vectors.close()
