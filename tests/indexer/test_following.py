"""Following: what changed at the host is found by its date, once, in any order of trouble."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import Kind
from domain.errors import Busy, SourceError, Unavailable
from domain.items import Item, ItemKey, Removal
from domain.ports import Checkpoints
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from domain.work import Lane
from indexer.following import ERRORS_KEPT, PAGE, Follower, FollowReport
from indexer.live import LiveWriter
from plugin.embedded.checkpoints import EmbeddedCheckpoints
from plugin.embedded.database import Database
from plugin.files.opening import open_file_source
from tests.indexer.conftest import KIND, House
from tests.support.failing import AWAY, Failing

#: Kinds whose revision is the date itself, and one whose host counts revisions.
DATED = Kind(KIND, "id", {"title": 3.0}, tenant="shop", removed="deleted")
COUNTED = Kind(KIND, "id", {"title": 3.0}, revision="version", tenant="shop", removed="deleted")
OVERLAP = 60.0

Document = dict[str, Any]


@dataclass
class Site:
    """A host: its documents in a file, whose dates are seconds before or after the house's clock as it began."""

    house: House
    path: Path
    now: float
    documents: dict[str, Document] = field(default_factory=dict)

    def keep(self, name: str, seconds: float, title: Any = "Red car", **fields: Any) -> None:
        """What the host's own index holds from now on."""
        told = {"id": name, "shop": "a", "title": title, "updated_at": (self.now + seconds) * 1_000}
        self.documents[name] = told | fields

    def source(self) -> Any:
        """The file as it stands."""
        self.path.write_text("".join(json.dumps(one) + "\n" for one in self.documents.values()))
        return open_file_source(self.path, "id")

    def follower(self, kind: Kind = DATED, source: Any = None, **given: Any) -> Follower:
        """A new process's follower, which knows nothing but the checkpoint; `given` replaces parts of it."""
        house = self.house
        engine = given.pop("engine", house.engine)
        checkpoints = given.pop("checkpoints", self.checkpoints())
        live = given.pop("live", LiveWriter(engine, house.view, house.queue, lambda _: house.embedder, house.clock))
        parts = (live, engine, house.view, checkpoints)
        return Follower(source or self.source(), kind, "updated_at", *parts, clock=house.clock, **given)

    def checkpoints(self) -> Checkpoints:
        return EmbeddedCheckpoints(Database(self.path.parent / "checkpoints.db"))

    def follow(self, kind: Kind = DATED, **options: Any) -> FollowReport:
        """One round of a new process."""
        return self.follower(kind, **options).round()

    def ms(self, seconds: float) -> int:
        """The date as a revision."""
        return int((self.now + seconds) * 1_000)

    def stored(self) -> dict[str, StoredItem]:
        """What is in the index, by id."""
        self.house.engine.refresh("listing-g1")
        return {one.key.id: one for one in self.house.engine.scan("listing-g1", limit=5_000)}

    def titles(self) -> dict[str, str | None]:
        """The title of each item; None for a tombstone."""
        return {name: one.item.texts["title"] if one.item else None for name, one in self.stored().items()}


@pytest.fixture
def site(house: House, tmp_path: Path) -> Site:
    house.begin()
    return Site(house, tmp_path / "site.jsonl", house.clock.now)


def counts(report: FollowReport) -> dict[str, int]:
    names = ("read", "written", "removed", "unchanged", "stale", "failed")
    return {name: value for name in names if (value := getattr(report, name))}


def test_the_first_round_takes_everything_and_the_next_what_changed(site: Site) -> None:
    for number in range(5):
        site.keep(f"i{number}", -100 * number - 100)
    assert counts(site.follow()) == {"read": 5, "written": 5}
    site.keep("i3", -5, "Blue car")
    site.keep("new", -1)
    # The one at the checkpoint is read again, and nothing older.
    assert counts(site.follow()) == {"read": 2 + 1, "written": 2, "unchanged": 1}
    assert site.titles() == {f"i{n}": "Red car" for n in (0, 1, 2, 4)} | {"i3": "Blue car", "new": "Red car"}
    assert site.stored()["i3"].change.revision == site.ms(-5)


def test_unchanged_documents_of_the_overlap_cost_no_write_and_no_embedding(site: Site) -> None:
    for number in range(20):
        site.keep(f"i{number}", -number)
    site.follow()
    site.house.drainer.drain(Lane.LIVE, 60)
    before, embedded = site.stored(), len(site.house.embedder.embedded)
    unwritable = Failing(site.house.engine, write=AWAY)
    assert counts(site.follow(engine=unwritable)) == {"read": 20, "unchanged": 20}
    assert site.house.queue.depth(Lane.LIVE).waiting == 0
    assert len(site.house.embedder.embedded) == embedded
    assert {name: one.written_at for name, one in site.stored().items()} == {
        name: one.written_at for name, one in before.items()
    }


def test_text_first_then_the_vector(site: Site) -> None:
    site.keep("i1", -1)
    site.follow()
    assert site.stored()["i1"].vector_state is VectorState.PENDING
    assert site.house.drainer.drain(Lane.LIVE, 60).embedded == 1
    assert site.stored()["i1"].vector_state is VectorState.READY


def test_what_is_dated_behind_the_checkpoint_but_within_the_overlap_is_seen(site: Site) -> None:
    site.keep("i1", -10)
    site.follow()
    site.keep("late", -10 - OVERLAP)
    site.keep("lost", -11 - OVERLAP)
    site.follow()
    assert set(site.titles()) == {"i1", "late"}
    site.follow(overlap=OVERLAP + 1)
    assert set(site.titles()) == {"i1", "late", "lost"}


def test_a_date_in_the_future_hides_nothing(site: Site) -> None:
    site.keep("ahead", 86_400)
    site.keep("i1", -5)
    assert site.follow().reached == site.ms(0)
    site.house.clock.now += 100
    site.keep("i2", 90)
    assert counts(site.follow()) == {"read": 3, "written": 1, "unchanged": 2}
    assert set(site.titles()) == {"ahead", "i1", "i2"}


class TestOneDateTwoContents:
    """Edits that their dates do not tell apart."""

    def test_the_content_at_the_host_is_the_newest(self, site: Site) -> None:
        for number, title in enumerate(("Red car", "Blue car", "Green car", "Red car")):
            site.keep("i1", -10, title)
            assert counts(site.follow()) == {"read": 1, "written": 1}
            assert site.titles() == {"i1": title}
            assert site.stored()["i1"].change.revision == site.ms(-10) + number
            assert counts(site.follow()) == {"read": 1, "unchanged": 1}
        site.keep("i1", -9.9, "Grey car")
        site.follow()
        assert site.stored()["i1"].change.revision == site.ms(-9.9)

    def test_also_where_the_kind_names_the_date_as_its_revision(self, site: Site) -> None:
        kind = Kind(KIND, "id", {"title": 3.0}, revision="updated_at", tenant="shop")
        site.keep("i1", -10)
        site.follow(kind)
        site.keep("i1", -10, "Blue car")
        assert counts(site.follow(kind)) == {"read": 1, "written": 1}
        assert site.titles() == {"i1": "Blue car"}

    def test_marked_and_unmarked_within_one_date(self, site: Site) -> None:
        site.keep("i1", -10)
        site.follow()
        site.keep("i1", -10, deleted=True)
        assert counts(site.follow()) == {"read": 1, "removed": 1}
        assert site.titles() == {"i1": None}

    def test_an_edit_by_a_machine_whose_clock_is_behind(self, site: Site) -> None:
        site.keep("i1", -10)
        site.follow()
        site.keep("i1", -15, "Blue car")
        assert counts(site.follow()) == {"read": 1, "written": 1}
        assert site.titles() == {"i1": "Blue car"}

    def test_what_the_source_no_longer_holds_like_that_changes_nothing(self, site: Site) -> None:
        site.keep("i1", -10)
        site.follow()
        site.keep("i1", -10, "Blue car")
        old = site.source()
        pages = list(old.changed("updated_at", 0.0))
        site.keep("i1", -10, "Green car")

        class Late:
            """Its pages were read before the last edit."""

            name = old.name
            fetch = site.source().fetch

            def changed(self, *_: object) -> Iterator[Any]:
                yield from pages

        assert counts(site.follow(source=Late())) == {"read": 1, "stale": 1}
        assert site.titles() == {"i1": "Red car"}
        site.follow()
        assert site.titles() == {"i1": "Green car"}

    def test_a_removal_told_by_another_door_stays(self, site: Site) -> None:
        site.keep("i1", -10)
        site.follow()
        site.house.live.apply([Removal(ItemKey("a", KIND, "i1"), site.ms(-5))])
        assert counts(site.follow()) == {"read": 1, "stale": 1}
        assert site.titles() == {"i1": None}

    def test_something_far_newer_by_another_door_stays(self, site: Site) -> None:
        site.keep("i1", -10)
        site.follow()
        newer = Item(ItemKey("a", KIND, "i1"), site.ms(OVERLAP), texts={"title": "Told car"})
        site.house.live.apply([newer])
        assert counts(site.follow()) == {"read": 1, "stale": 1}
        assert site.titles() == {"i1": "Told car"}

    def test_two_documents_of_one_id_are_told_and_do_not_take_turns(self, site: Site) -> None:
        site.keep("i1", -10)
        site.documents["again"] = site.documents["i1"] | {"title": "Blue car"}
        for _ in range(3):
            report = site.follow()
            assert report.failed == 1
            assert "2 documents of this id" in report.errors[0]
        assert site.stored()["i1"].change.revision == site.ms(-10)


class TestCountedRevisions:
    """A host that counts its revisions is believed."""

    def test_they_decide_and_not_the_date(self, site: Site) -> None:
        site.keep("i1", -10, version=7)
        site.follow(COUNTED)
        site.keep("i1", -5, "Blue car", version=6)
        assert counts(site.follow(COUNTED)) == {"read": 1, "stale": 1}
        site.keep("i1", -4, "Green car", version=8)
        assert counts(site.follow(COUNTED)) == {"read": 1, "written": 1}
        assert site.stored()["i1"].change.revision == 8

    def test_other_content_under_one_revision_is_told_once(self, site: Site) -> None:
        site.keep("i1", -10, version=7)
        site.follow(COUNTED)
        site.keep("i1", -5, "Blue car", version=7)
        follower = site.follower(COUNTED)
        reports = [follower.round() for _ in range(3)]
        assert [one.failed for one in reports] == [1, 1, 1]
        assert [len(one.errors) for one in reports] == [1, 0, 0]
        assert "site.jsonl line 1: the same revision is stored with other content" in reports[0].errors[0]
        assert site.titles() == {"i1": "Red car"}


class TestRemovals:
    """Only what the host marks is removed."""

    @pytest.mark.parametrize("mark", [True, "true", 1, 1.0, "2026-01-31T08:00:00Z", 1_767_225_600_123])
    def test_marked_ones_are_removed_and_stay_so(self, site: Site, mark: Any) -> None:
        site.keep("i1", -10)
        site.follow()
        site.keep("i1", -5, deleted=mark)
        assert counts(site.follow()) == {"read": 1, "removed": 1}
        assert counts(site.follow()) == {"read": 1, "unchanged": 1}
        assert site.titles() == {"i1": None}
        site.keep("i1", -4)
        site.follow()
        assert site.titles() == {"i1": "Red car"}

    @pytest.mark.parametrize("mark", [None, False, "false", "", 0, "no"])
    def test_unmarked_ones_are_not(self, site: Site, mark: Any) -> None:
        site.keep("i1", -5, deleted=mark)
        assert counts(site.follow()) == {"read": 1, "written": 1}

    @pytest.mark.parametrize("mark", ["maybe", 2, -1, [True], {"at": 1}])
    def test_a_mark_that_says_neither_is_told(self, site: Site, mark: Any) -> None:
        site.keep("i1", -5, deleted=mark)
        report = site.follow()
        assert counts(report) == {"read": 1, "failed": 1}
        assert "site.jsonl line 1, field deleted: expected true, false, a date or nothing" in report.errors[0]

    def test_missing_documents_remove_nothing(self, site: Site) -> None:
        site.keep("i1", -10)
        site.keep("i2", -10)
        site.follow()
        del site.documents["i2"]
        site.follow()
        assert site.titles() == {"i1": "Red car", "i2": "Red car"}


class TestTrouble:
    """Whatever ends a round, the next one leaves nothing out."""

    def test_broken_documents_are_told_and_their_neighbours_go_through(self, site: Site) -> None:
        site.keep("i1", -10)
        site.keep("i2", -9, title=["nested", {"a": 1}])
        site.keep("i3", -8)
        site.documents["undated"] = {"id": "undated", "shop": "a", "title": "Red car"}
        follower = site.follower()
        assert counts(report := follower.round()) == {"read": 4, "written": 2, "failed": 2}
        assert any("field updated_at: expected an ISO 8601 date" in error for error in report.errors)
        assert any("line 2, field title" in error for error in report.errors)
        site.documents = {str(n): {"id": str(n), "updated_at": "soon"} for n in range(ERRORS_KEPT + 2)}
        assert [len(follower.round().errors) for _ in (site.source(), 2)] == [ERRORS_KEPT, 0]

    def test_a_source_that_is_not_there_is_told(self, site: Site) -> None:
        site.keep("i1", -10)
        source = site.source()
        site.path.unlink()
        with pytest.raises((SourceError, FileNotFoundError)):
            site.follow(source=source)

    @pytest.mark.parametrize("call", ["read", "write"])
    def test_an_engine_that_is_away_moves_no_checkpoint(self, site: Site, call: str) -> None:
        site.keep("i1", -10)
        with pytest.raises(Unavailable):
            site.follow(engine=Failing(site.house.engine, **{call: AWAY}))
        assert counts(site.follow()) == {"read": 1, "written": 1}

    def test_back_pressure_moves_no_checkpoint(self, site: Site) -> None:
        site.keep("i1", -10)

        class Full:
            """Takes nothing."""

            def apply(self, changes: Any) -> list[ItemOutcome]:
                return [ItemOutcome(one.key, Outcome.FAILED, "the disk is full", busy=True) for one in changes]

        with pytest.raises(Busy, match="the disk is full"):
            site.follow(live=Full())
        assert counts(site.follow()) == {"read": 1, "written": 1}

    def test_asked_to_stop_it_ends_after_its_page_and_goes_on_later(self, site: Site) -> None:
        count = 2 * PAGE + 7
        for number in range(count):
            site.keep(f"i{number}", -count + number)
        pages: list[int] = []
        report = site.follower(overlap=0).round(stop=lambda: True, on_page=lambda told: pages.append(told.read))
        assert (report.complete, report.read, pages) == (False, PAGE, [PAGE])
        rest = site.follow(overlap=0)
        assert (rest.complete, rest.read, rest.unchanged) == (True, count - PAGE + 1, 1)
        assert len(site.stored()) == count

    def test_cut_anywhere_nothing_is_lost(self, site: Site) -> None:
        """The oracle: what the host holds at the end, whatever was cut between any two calls."""
        rng = random.Random(5)
        for turn in range(40):
            for _ in range(rng.randrange(4)):
                removed = rng.random() < 0.2
                # Whole seconds, so that several edits share one.
                date = turn - rng.randrange(3)
                site.keep(f"i{rng.randrange(6)}", date, f"Car {rng.randrange(1_000)}", deleted=removed)
            site.house.clock.now = site.now + turn
            cut = rng.choice(["nothing", "read", "write", "put"])
            engine = Failing(site.house.engine, **{cut: AWAY})
            checkpoints: Any = Failing(site.checkpoints(), **{cut: AWAY})
            with contextlib.suppress(Unavailable):
                site.follow(engine=engine, checkpoints=checkpoints)
        site.follow()
        assert site.titles() == {name: None if one["deleted"] else one["title"] for name, one in site.documents.items()}


def test_another_source_or_date_begins_anew(site: Site, tmp_path: Path) -> None:
    site.keep("i1", -10)
    site.follow()
    names = {site.follower().name, site.follower(tenant="a").name}
    other = tmp_path / "other.jsonl"
    other.write_text(site.path.read_text())
    names.add(site.follower(source=open_file_source(other, "id")).name)
    assert len(names) == 3


def test_every_generation_being_written_is_looked_at(site: Site, make: Callable[..., None]) -> None:
    site.keep("i1", -10)
    site.follow()
    make("listing-g2")
    assert counts(site.follow()) == {"read": 1, "written": 1}
    assert site.house.engine.read("listing-g2", [ItemKey("a", KIND, "i1")])
    assert counts(site.follow()) == {"read": 1, "unchanged": 1}


@pytest.fixture
def make(site: Site) -> Callable[..., None]:
    """Begins to write another generation too."""

    def _make(name: str) -> None:
        house = site.house
        house.generations.create(house.generation(name))
        held = house.releases.get(KIND)
        assert held is not None
        house.releases.put(replace(held.release, writing=(*held.release.writing, name)), held.token)
        house.view.forget(KIND)

    return _make
