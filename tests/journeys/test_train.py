"""A host trains on what its people did, and serves what was learnt without a new vector for any item."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from domain.search import Scope
from recommender.evaluation.splits import is_reported
from rerank_service.deadline import Deadline
from rerank_service.known import Known
from rerank_service.request import PastEvent, RankRequest
from rerank_service.snapshot import Snapshot
from tests.journeys.catalogue import write_jsonl
from tests.journeys.conftest import FirstIndex
from tests.journeys.house import KIND, House, stored

# The first index and the training share one time-out, whichever test comes first.
pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]

#: Cars that people act upon; each person likes every second one of them.
CARS, PEOPLE, LIKED = 60, 90, 10


def clicks(first_index: FirstIndex) -> list[dict[str, object]]:
    """Events that have nothing to do with what the cars are."""
    draw = random.Random(0)
    ids = [one["listing_id"] for one in first_index.documents[:CARS]]
    return [
        {"user_id": f"u{person}", "action_name": "click", "object_id": id_, "timestamp": 1_700_000_000_000 + number}
        for person in range(PEOPLE)
        for number, id_ in enumerate(draw.sample(ids[person % 2 :: 2], LIKED))
    ]


@pytest.fixture(scope="module")
def trained(first_index: FirstIndex, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, dict[str, object]]:
    """A house that was trained and serves it, and what the command told; one event has no item."""
    house = first_index.house.copy(tmp_path_factory.mktemp("trained") / "house")
    events = clicks(first_index)
    events.insert(4, {"user_id": "u0", "action_name": "click", "timestamp": 1_700_000_000_000})
    write_jsonl(house.folder / "events.jsonl", events)
    done = house.run("train", "--events", "events.jsonl", "--tenant", "north", "--hold-out", "--serve", "--json")
    assert done.returncode == 3, done.stderr
    return house, json.loads(done.stdout)


def test_events_are_learnt_from_and_the_broken_one_is_counted(trained: tuple[House, dict[str, object]]) -> None:
    _, told = trained
    assert (told["events"], told["broken"], told["serving"]) == (PEOPLE * LIKED, 1, True)


def test_the_people_who_are_reported_on_were_left_out_and_the_manifest_says_so(
    trained: tuple[House, dict[str, object]],
) -> None:
    house, told = trained
    metrics = house.parts().bundle(str(told["bundle"])).manifest.metrics
    learnt = [f"u{person}" for person in range(PEOPLE) if not is_reported(f"u{person}")]
    assert 0 < len(learnt) < PEOPLE
    assert (metrics["people"], metrics["events"]) == (len(learnt), len(learnt) * LIKED)
    assert (metrics["held_out_percent"], metrics["learnt_until"]) == (15, 1_700_000_000 + (LIKED - 1) / 1_000)


def test_the_new_bundle_is_served_from_the_same_generation_and_no_item_changed(
    trained: tuple[House, dict[str, object]], first_index: FirstIndex
) -> None:
    house, told = trained
    before, after = (one.parts().releases.get(KIND) for one in (first_index.house, house))
    assert before is not None
    assert after is not None
    assert after.release.default.bundle == told["bundle"] != before.release.default.bundle
    assert after.release.default.generation == before.release.default.generation
    assert after.release.previous == before.release.default
    old, new = stored(first_index.house.parts()), stored(house.parts())
    assert {key: one.version for key, one in new.items()} == {key: one.version for key, one in old.items()}


def test_a_person_gets_what_people_of_their_taste_like(
    trained: tuple[House, dict[str, object]], first_index: FirstIndex
) -> None:
    house, told = trained
    parts = house.parts()
    held = parts.releases.get(KIND)
    assert held is not None
    pointer = held.release.default
    ids = [one["listing_id"] for one in first_index.documents[:CARS]]
    for taste in (0, 1):
        liked = ids[taste::2]
        events = tuple(PastEvent(KIND, id_, "click", 1_700_000_000.0 + n) for n, id_ in enumerate(liked[:8]))
        request = RankRequest(KIND, Scope("north"), history=events, deadline=Deadline(60.0))
        ranker = parts.searches.ranker
        snapshot = Snapshot(
            parts.config.kinds[KIND], pointer.generation, parts.bundle(pointer.bundle).space, pointer.bundle
        )
        found = parts.engine.lookup(snapshot.generation, request.scope, ids)
        rest = [id_ for id_ in ids if id_ in found and id_ not in liked[:8]]
        bundle, query = ranker.prepare(snapshot, request)
        known = Known.of([found[id_] for id_ in rest], snapshot.space)
        answer = ranker.ranked(snapshot, request, bundle, query, rest, [0.0] * len(rest), known)
        assert answer.ranked_by == told["bundle"]
        wanted = sum(id_ in liked for id_ in rest)
        best = [rest[place] for place in answer.ranked.order][:wanted]
        assert sum(id_ in liked for id_ in best) >= 0.9 * wanted


def test_events_of_nobody_are_too_few(first_index: FirstIndex, tmp_path: Path) -> None:
    house = first_index.house.copy(tmp_path / "house")
    write_jsonl(house.folder / "few.jsonl", clicks(first_index)[:LIKED])
    done = house.run("train", "--events", "few.jsonl", "--tenant", "north", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["got"] == "1"
    before, after = (one.parts().releases.get(KIND) for one in (first_index.house, house))
    assert before is not None
    assert after is not None
    assert after.release == before.release
