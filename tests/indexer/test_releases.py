"""The release view: polled for reading, fenced for writing."""

from __future__ import annotations

import pytest

from domain.errors import StaleRelease, Unavailable
from domain.ports import ReleaseStore
from domain.releases import Held, Release, Stage
from indexer.releases import LEASE_SECONDS, ReleaseView, begin, finish
from tests.indexer.conftest import KIND, Clock, House


class Flaky:
    """A release store whose connection can be cut."""

    def __init__(self, inner: ReleaseStore) -> None:
        self.inner = inner
        self.down = False
        self.asked = 0

    def get(self, kind: str) -> Held | None:
        self.asked += 1
        if self.down:
            raise Unavailable("engine", expected="an answer", got="silence", fix="Start it.")
        return self.inner.get(kind)

    def put(self, release: Release, token: str | None) -> Held:
        return self.inner.put(release, token)

    def kinds(self) -> list[str]:
        return self.inner.kinds()


def test_begin_and_finish_can_be_repeated(house: House) -> None:
    first = begin(house.releases, house.generations, house.generation(), "bundle-1")
    second = begin(house.releases, house.generations, house.generation(), "bundle-2")
    assert (first, second.default.bundle, first.state) == (second, "bundle-1", Stage.BUILDING)
    assert finish(house.releases, KIND).state is Stage.SERVING
    assert finish(house.releases, KIND).state is Stage.SERVING


def test_a_kind_without_release_says_what_to_run(house: House) -> None:
    with pytest.raises(Unavailable, match="sidetower index"):
        house.view.for_writing(KIND)


def test_the_release_is_read_at_most_once_a_second(house: House) -> None:
    house.begin()
    store, clock = Flaky(house.releases), Clock()
    view = ReleaseView(store, clock)
    for _ in range(10):
        view.current(KIND)
    clock.now += 1.1
    view.current(KIND)
    assert store.asked == 2


def test_writing_is_refused_when_the_lease_has_passed_and_reading_goes_on(house: House) -> None:
    house.begin()
    store, clock = Flaky(house.releases), Clock()
    view = ReleaseView(store, clock)
    view.for_writing(KIND)
    store.down = True
    clock.now += LEASE_SECONDS - 1
    assert view.for_writing(KIND).writing == ("listing-g1",)
    clock.now += 2
    with pytest.raises(StaleRelease, match="Nothing was acknowledged"):
        view.for_writing(KIND)
    assert view.current(KIND) is not None
