"""The lean run time against TensorFlow and NumPy, on random input of every size that can come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.features import History, ItemFeatures
from domain.vectors import Array, unit
from recommender.towers import OnnxItemTower, OnnxScorer, OnnxUserTower
from tests.support.needs import require_module

pytestmark = pytest.mark.training

TEXT, BUCKETS, SLOTS = 40, 50, 3
NO_SIGNALS = 0


def units(rng: np.random.Generator, *shape: int) -> Array:
    return unit(rng.standard_normal((*shape, 128)).astype(np.float32))


def features(count: int, width: int = 5, seed: int = 0) -> ItemFeatures:
    rng = np.random.default_rng(seed)
    known = (rng.random((count, SLOTS)) < 0.7).astype(np.float32)
    # Distinct buckets within an item, as the feature builder gives them.
    ids = np.stack([rng.permutation(BUCKETS)[:width] + 1 for _ in range(count)]) if count else np.zeros((0, 1), int)
    held = rng.random(ids.shape) < 0.7
    return ItemFeatures(
        text=unit(rng.standard_normal((count, TEXT)).astype(np.float32)),
        category_ids=(ids * held).astype(np.int64),
        category_weights=(rng.random(ids.shape) * held).astype(np.float32),
        numbers=rng.uniform(-4, 4, (count, SLOTS)).astype(np.float32) * known,
        known=known,
    )


def nothing(count: int) -> ItemFeatures:
    empty = np.zeros((count, SLOTS), np.float32)
    ids = np.zeros((count, 1), np.int64)
    return ItemFeatures(np.zeros((count, TEXT), np.float32), ids, ids.astype(np.float32), empty, empty)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Traced TensorFlow functions, the projection they were made from, and the folder of their files."""
    require_module("tensorflow", "train")
    from recommender.training.projection import fit_projection
    from recommender.training.zero_networks import export_item_tower, export_scorer, export_user_tower

    folder = tmp_path_factory.mktemp("networks")
    projection = fit_projection(features(300), ["listing"] * 300, BUCKETS)
    return {
        "folder": folder,
        "projection": projection,
        "item": export_item_tower(projection, folder / "item_tower.onnx"),
        "user": export_user_tower(folder / "user_tower.onnx"),
        "scorer": export_scorer(folder / "scorer.onnx"),
    }


def traced_items(networks: dict[str, Any], found: ItemFeatures) -> Array:
    names = ("text", "category_ids", "category_weights", "numbers", "known")
    output = networks["item"](**{name: getattr(found, name) for name in names})
    return np.asarray(output["item_vector"])


@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_item_tower_equals_tensorflow_and_numpy(networks: dict[str, Any], count: int) -> None:
    given = features(count, seed=count)
    found = OnnxItemTower(networks["folder"] / "item_tower.onnx").embed(given)
    assert found.shape == (count, 128)
    np.testing.assert_allclose(found, traced_items(networks, given), atol=1e-4)
    np.testing.assert_allclose(found, networks["projection"].embed(given), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(count), atol=1e-5)


def test_an_item_of_which_nothing_is_known_has_a_vector_too(networks: dict[str, Any]) -> None:
    found = OnnxItemTower(networks["folder"] / "item_tower.onnx").embed(nothing(2))
    np.testing.assert_allclose(found, np.eye(128, dtype=np.float32)[[127, 127]], atol=1e-6)
    np.testing.assert_allclose(found, traced_items(networks, nothing(2)), atol=1e-4)


def test_item_batch_equals_single(networks: dict[str, Any]) -> None:
    tower, given = OnnxItemTower(networks["folder"] / "item_tower.onnx"), features(7)
    batch = tower.embed(given)
    for row in range(7):
        one = slice(row, row + 1)
        single = ItemFeatures(
            given.text[one], given.category_ids[one], given.category_weights[one], given.numbers[one], given.known[one]
        )
        np.testing.assert_allclose(tower.embed(single)[0], batch[row], atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 50])
def test_user_tower_equals_tensorflow(networks: dict[str, Any], length: int) -> None:
    rng = np.random.default_rng(length)
    weights, ages = rng.uniform(0, 4, length).astype(np.float32), rng.uniform(0, 6, length).astype(np.float32)
    history, query = History(units(rng, length), weights, ages), units(rng)
    found = OnnxUserTower(networks["folder"] / "user_tower.onnx").embed(history, query)
    expected = networks["user"](items=history.items, weights=weights, ages=ages, query=query)["user_vector"]
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-4)
    assert np.linalg.norm(found) == pytest.approx(1.0 if length else 0.0, abs=1e-5)


def test_newer_and_stronger_events_count_more(networks: dict[str, Any]) -> None:
    tower, axes = OnnxUserTower(networks["folder"] / "user_tower.onnx"), np.eye(128, dtype=np.float32)
    days = np.array([0.0, 3.0], np.float32)
    found = tower.embed(History(axes[:2], np.ones(2, np.float32), np.log1p(days)), None)
    assert found[0] / found[1] == pytest.approx((1 + 3) ** 0.5, rel=1e-5)
    found = tower.embed(History(axes[:2], np.array([4, 1], np.float32), np.zeros(2, np.float32)), None)
    assert found[0] / found[1] == pytest.approx(4, rel=1e-5)


def test_one_click_of_long_ago_is_no_taste(networks: dict[str, Any]) -> None:
    tower, axes = OnnxUserTower(networks["folder"] / "user_tower.onnx"), np.eye(128, dtype=np.float32)
    once = np.ones(1, np.float32)
    assert tower.embed(History(axes[:1], once, np.log1p(once * 300)), None).any()
    assert not tower.embed(History(axes[:1], once, np.log1p(once * 500)), None).any()


@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_scorer_equals_tensorflow(networks: dict[str, Any], count: int) -> None:
    from recommender.training.zero_networks import PERSONAL

    rng = np.random.default_rng(count)
    query, user, items = units(rng), units(rng), units(rng, count)
    signals = np.zeros((count, NO_SIGNALS), np.float32)
    found = OnnxScorer(networks["folder"] / "scorer.onnx").score(query, user, items, signals)
    expected = networks["scorer"](query=query, user=user, items=items, signals=signals)
    np.testing.assert_allclose(found.relevance, np.asarray(expected["relevance"]), atol=1e-4)
    np.testing.assert_allclose(found.personal, np.asarray(expected["personal"]), atol=1e-4)
    np.testing.assert_allclose(found.relevance, items @ query, atol=1e-5)
    np.testing.assert_allclose(found.personal, PERSONAL * (items @ user), atol=1e-5)
    assert found.gate == pytest.approx(float(expected["gate"]))


def test_nobody_is_scored_exactly_zero_and_no_query_likewise(networks: dict[str, Any]) -> None:
    rng, scorer = np.random.default_rng(0), OnnxScorer(networks["folder"] / "scorer.onnx")
    items, signals = units(rng, 9), np.zeros((9, NO_SIGNALS), np.float32)
    for user in (None, np.zeros(128, np.float32)):
        assert not scorer.score(units(rng), user, items, signals).personal.any()
    assert not scorer.score(None, units(rng), items, signals).relevance.any()


def test_the_gate_opens_wider_without_a_query(networks: dict[str, Any]) -> None:
    rng, scorer = np.random.default_rng(0), OnnxScorer(networks["folder"] / "scorer.onnx")
    items, signals = units(rng, 2), np.zeros((2, NO_SIGNALS), np.float32)
    asked, browsing = (scorer.score(query, units(rng), items, signals).gate for query in (units(rng), None))
    assert 0 < asked < browsing <= 1


def test_an_exporter_that_writes_something_else_is_found_out(tmp_path: Path) -> None:
    require_module("tensorflow", "train")
    from domain.errors import BundleRefused
    from recommender.training.export import export_network
    from recommender.training.frameworks import load_tensorflow

    tf = load_tensorflow()

    def drifting(value: Any) -> dict[str, Any]:
        return {"out": value + tf.random.uniform(tf.shape(value))}

    example = {"value": np.ones(3, np.float32)}
    with pytest.raises(BundleRefused, match="difference"):
        export_network(drifting, {"value": ((None,), "float32")}, tmp_path / "drifting.onnx", [example])
