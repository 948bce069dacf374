"""A release trained into the space of the mini bundle, in a world of two tastes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from domain.errors import ConfigurationError
from domain.events import Event
from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.golden import verify_bundle
from recommender.neighbours import SIGNALS
from tests.support.needs import require_module

pytestmark = pytest.mark.training

#: People like every second listing of the tenant.
PEOPLE, LIKED = 70, 8


def listings(catalogue: list[Item]) -> list[Item]:
    return [item for item in catalogue if item.key.kind == "listing" and item.key.tenant == "north"]


def two_tastes(catalogue: list[Item], people: int = PEOPLE) -> list[Event]:
    draw = random.Random(0)
    events = []
    for person in range(people):
        liked = draw.sample(listings(catalogue)[person % 2 :: 2], LIKED)
        for age, item in enumerate(liked):
            action = draw.choice(("view", "purchase"))
            events.append(Event("north", f"u{person}", action, "listing", item.key.id, 1e9 - 1e4 * age))
        events.append(Event("north", f"u{person}", "impression", "listing", draw.choice(catalogue).key.id, 1e9))
    return events


@pytest.fixture(scope="module")
def released(bundle_folder: Path, mini_catalogue: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_module("tensorflow", "train")
    from recommender.training.release import Settings, train_release

    out = tmp_path_factory.mktemp("released")
    return train_release(bundle_folder, mini_catalogue, two_tastes(mini_catalogue), out, settings=Settings(epochs=4))


@pytest.fixture(scope="module")
def trained(released: Path) -> Bundle:
    return load_bundle(released)


def personal(bundle: Bundle, candidates: list[Item], past: list[Item]) -> Array:
    """Personal scores as the service computes them."""
    vectors = bundle.embedder.embed(candidates)
    history = bundle.history(bundle.embedder.embed(past), ["view"] * len(past), [60.0] * len(past))
    user = bundle.user_tower.embed(history, None)
    offered = [Candidate(item, 0.0, 4) for item in candidates]
    signals = bundle.signals(offered, [item.key.id for item in past])
    return bundle.scorer.score(None, user, vectors, signals).personal


def test_the_space_stays_and_the_bundle_is_a_new_and_whole_one(bundle: Bundle, trained: Bundle, released: Path) -> None:
    assert trained.space == bundle.space
    assert trained.id == released.name != bundle.id
    assert trained.manifest.signals == SIGNALS
    assert trained.manifest.metrics["trained_from"] == bundle.id
    verify_bundle(released)


def test_who_liked_one_half_gets_the_other_items_of_that_half(trained: Bundle, mini_catalogue: list[Item]) -> None:
    items = listings(mini_catalogue)
    for taste in (0, 1):
        past, rest = items[taste::2][:6], items[12:]
        scores = personal(trained, rest, past)
        own = np.array([items.index(item) % 2 == taste for item in rest])
        better = scores[own][:, np.newaxis] > scores[~own]
        assert better.mean() > 0.9


def test_without_history_nothing_is_personal(trained: Bundle, mini_catalogue: list[Item]) -> None:
    assert not personal(trained, listings(mini_catalogue), []).any()


def test_a_batch_equals_singles(trained: Bundle, mini_catalogue: list[Item]) -> None:
    items = listings(mini_catalogue)
    batch = personal(trained, items[10:30], items[:5])
    for item, score in zip(items[10:30], batch, strict=True):
        np.testing.assert_allclose(personal(trained, [item], items[:5]), [score], atol=1e-4)


def test_another_tenants_items_have_no_neighbours(trained: Bundle) -> None:
    assert trained.neighbours.of("north", "listing") is not None
    south = trained.neighbours.of("south", "listing")
    assert south is not None
    assert not south.popularity.any()


def test_an_interrupted_training_goes_on_to_the_same_end(
    bundle_folder: Path, mini_catalogue: list[Item], tmp_path: Path
) -> None:
    require_module("tensorflow", "train")
    from recommender.training.release import Settings, train_release

    events = two_tastes(mini_catalogue)
    straight = train_release(
        bundle_folder, mini_catalogue, events, tmp_path, settings=Settings(2, checkpoint=tmp_path / "a.npz")
    )

    class Interrupted(Exception):
        pass

    def stop(stage: str, done: int, _total: int) -> None:
        if stage.startswith("training") and done == 1:
            raise Interrupted

    settings = Settings(2, checkpoint=tmp_path / "b.npz")
    with pytest.raises(Interrupted):
        train_release(bundle_folder, mini_catalogue, events, tmp_path, stop, settings)
    stages: list[str] = []
    again = train_release(
        bundle_folder, mini_catalogue, events, tmp_path, lambda stage, *_: stages.append(stage), settings
    )
    assert sum(stage.startswith("training") for stage in stages) == 1
    assert again == straight


def test_too_few_people_teach_nothing(bundle_folder: Path, mini_catalogue: list[Item], tmp_path: Path) -> None:
    require_module("tensorflow", "train")
    from recommender.training.release import train_release

    with pytest.raises(ConfigurationError, match="at least 50 people"):
        train_release(bundle_folder, mini_catalogue, two_tastes(mini_catalogue, 49), tmp_path)
    assert list(tmp_path.iterdir()) == []
