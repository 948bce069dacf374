"""The contract of the release store: one document per kind, changed by compare-and-set."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from domain.errors import ReleaseConflict
from domain.ports import ReleaseStore
from domain.releases import Pointer, Release, Stage


def release(kind: str) -> Release:
    """A release with every field filled."""
    return Release(
        kind=kind,
        default=Pointer("listing-g2", "bundle-b"),
        writing=("listing-g1", "listing-g2"),
        state=Stage.SERVING,
        tenants={"nörth / 1": Pointer("listing-g1", "bundle-a"), "south": Pointer("listing-g2", "bundle-c")},
        previous=Pointer("listing-g1", "bundle-a"),
    )


class ReleaseContract:
    """Subclasses supply the fixture `releases`."""

    @pytest.fixture
    def kind(self) -> str:
        """A kind that no other test has."""
        return f"kind_{uuid.uuid4().hex[:12]}"

    def test_before_the_first_release_there_is_none(self, releases: ReleaseStore, kind: str) -> None:
        assert releases.get(kind) is None
        assert kind not in releases.kinds()

    def test_a_release_comes_back_whole(self, releases: ReleaseStore, kind: str) -> None:
        held = releases.put(release(kind), None)
        assert held.release == release(kind)
        assert releases.get(kind) == held
        assert kind in releases.kinds()

    def test_a_first_release_without_tenants_comes_back(self, releases: ReleaseStore, kind: str) -> None:
        first = Release(kind, Pointer("listing-g1", "zero"), ("listing-g1",), Stage.BUILDING)
        releases.put(first, None)
        held = releases.get(kind)
        assert held is not None
        assert (held.release, held.release.previous, held.release.tenants) == (first, None, {})

    def test_a_change_with_the_token_is_kept(self, releases: ReleaseStore, kind: str) -> None:
        held = releases.put(release(kind), None)
        changed = replace(held.release, default=Pointer("listing-g1", "bundle-d"), tenants={}, previous=None)
        again = releases.put(changed, held.token)
        assert releases.get(kind) == again
        assert again.release == changed
        assert again.token != held.token

    def test_the_token_changes_even_when_the_content_does_not(self, releases: ReleaseStore, kind: str) -> None:
        first = releases.put(release(kind), None)
        second = releases.put(release(kind), first.token)
        assert first.token != second.token
        with pytest.raises(ReleaseConflict):
            releases.put(release(kind), first.token)

    def test_a_stale_token_is_refused(self, releases: ReleaseStore, kind: str) -> None:
        first = releases.put(release(kind), None)
        second = releases.put(replace(first.release, writing=("listing-g2",)), first.token)
        with pytest.raises(ReleaseConflict, match=kind):
            releases.put(replace(first.release, state=Stage.BUILDING), first.token)
        assert releases.get(kind) == second

    def test_a_second_first_release_is_refused(self, releases: ReleaseStore, kind: str) -> None:
        held = releases.put(release(kind), None)
        with pytest.raises(ReleaseConflict, match=kind):
            releases.put(replace(release(kind), state=Stage.BUILDING), None)
        assert releases.get(kind) == held

    def test_a_token_without_a_release_is_refused(self, releases: ReleaseStore, kind: str) -> None:
        token = releases.put(release(kind), None).token
        other = f"{kind}_other"
        with pytest.raises(ReleaseConflict):
            releases.put(release(other), token)
        assert releases.get(other) is None

    def test_a_token_that_was_never_given_is_refused(self, releases: ReleaseStore, kind: str) -> None:
        held = releases.put(release(kind), None)
        for token in ("", "nonsense", held.token + "0"):
            with pytest.raises(ReleaseConflict):
                releases.put(release(kind), token)
        assert releases.get(kind) == held

    def test_kinds_are_apart_and_sorted(self, releases: ReleaseStore, kind: str) -> None:
        names = [f"{kind}_{letter}" for letter in "cab"]
        held = {name: releases.put(release(name), None) for name in names}
        assert [name for name in releases.kinds() if name in names] == sorted(names)
        assert releases.kinds() == sorted(releases.kinds())
        releases.put(replace(release(names[0]), tenants={}), held[names[0]].token)
        assert releases.get(names[1]) == held[names[1]]

    def test_of_many_who_create_at_once_one_wins(self, releases: ReleaseStore, kind: str) -> None:
        assert self._race(releases, kind, None) == 1

    def test_of_many_who_change_at_once_one_wins(self, releases: ReleaseStore, kind: str) -> None:
        held = releases.put(release(kind), None)
        assert self._race(releases, kind, held.token) == 1

    def _race(self, releases: ReleaseStore, kind: str, token: str | None) -> int:
        """How many of six concurrent writers were told that theirs is stored; theirs is what is stored."""
        start = Barrier(6)

        def put(number: int) -> str | None:
            start.wait(10)
            mine = replace(release(kind), default=Pointer("listing-g1", f"bundle-{number}"))
            try:
                return releases.put(mine, token).release.default.bundle
            except ReleaseConflict:
                return None

        with ThreadPoolExecutor(6) as pool:
            winners = [bundle for bundle in pool.map(put, range(6)) if bundle is not None]
        held = releases.get(kind)
        assert held is not None
        assert [held.release.default.bundle] == winners
        return len(winners)
