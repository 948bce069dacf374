from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from domain.features import ItemFeatures
from domain.vectors import Array, unit
from recommender.training.projection import (
    CATEGORY_SHARE,
    NUMBER_SHARE,
    TEXT_SHARE,
    blocks,
    bucket_weights,
    fit_projection,
)

BUCKETS = 6


def features(
    text: Array, ids: list[list[int]] | None = None, numbers: list[float] | None = None, known: list[int] | None = None
) -> ItemFeatures:
    rows = len(text)
    buckets = np.array(ids or [[0]] * rows, np.int64)
    scaled = np.array(numbers or [0.0] * rows, np.float32)[:, np.newaxis]
    flags = np.array(known or [0] * rows, np.float32)[:, np.newaxis]
    return ItemFeatures(text, buckets, (buckets > 0).astype(np.float32), scaled, flags)


def random_texts(count: int, dimension: int = 200, rank: int | None = None, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    inner = rng.standard_normal((count, rank or dimension)).astype(np.float32)
    if rank:
        inner = inner @ np.random.default_rng(99).standard_normal((rank, dimension)).astype(np.float32)
    return unit(inner)


def test_a_bucket_weighs_the_root_of_its_self_information() -> None:
    ids = [[1, 2]] * 30 + [[1, 3]] * 66 + [[1, 4]] * 4
    found = bucket_weights(features(random_texts(100), ids), ["listing"] * 100, BUCKETS)
    expected = [0, 0, math.sqrt(-math.log(0.30)), math.sqrt(-math.log(0.66)), 0, 0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_small_sample_asks_for_two_items_of_a_value() -> None:
    found = bucket_weights(features(random_texts(4), [[1], [1], [2], [3]]), ["listing"] * 4, BUCKETS)
    np.testing.assert_allclose(found, [0, math.sqrt(-math.log(2 / 4)), 0, 0, 0, 0, 0], atol=1e-6)


def test_a_share_is_that_of_the_kind_that_has_the_value() -> None:
    ids = [[1]] * 5 + [[2]] * 5 + [[0]] * 90
    found = bucket_weights(features(random_texts(100), ids), ["listing"] * 10 + ["article"] * 90, BUCKETS)
    assert found[1] == pytest.approx(math.sqrt(-math.log(5 / 10)))


def test_blocks_weigh_their_shares_and_missing_ones_nothing() -> None:
    weights = np.array([0, 1, 1, 1, 0, 0, 0], np.float32)
    text = random_texts(2)
    text[1] = 0
    given = features(text, [[1, 2], [0, 4]], [0.5, 0.0], [1, 0])
    lengths = [np.linalg.norm(block, axis=1) for block in blocks(given, weights)]
    expected = [math.sqrt(TEXT_SHARE), math.sqrt(CATEGORY_SHARE), math.sqrt(NUMBER_SHARE)]
    np.testing.assert_allclose(lengths, [[one, 0.0] for one in expected], atol=1e-6)


def test_equal_numbers_are_most_alike_and_the_farthest_opposite() -> None:
    values = [-2.0, -1.0, 0.0, 1.0, 2.0, 4.0]
    given = features(np.zeros((6, 200), np.float32), numbers=values, known=[1] * 6)
    circles = blocks(given, np.zeros(BUCKETS + 1, np.float32))[2]
    likeness = (circles @ circles[0]) / NUMBER_SHARE
    expected = [math.cos(difference * math.pi / 4) for difference in (0, 1, 2, 3, 4, 4)]
    np.testing.assert_allclose(likeness, expected, atol=1e-6)


def test_inner_products_of_a_sample_of_low_rank_are_kept() -> None:
    text = random_texts(800, rank=60)
    ids = [[1 + row % 3] for row in range(800)]
    given = features(text, ids, list(np.linspace(-2, 2, 800)), [1] * 800)
    projection = fit_projection(given, ["listing"] * 800, BUCKETS)
    whole = np.concatenate(blocks(given, projection.bucket_weights), axis=1)
    found = projection.embed(given)
    np.testing.assert_allclose(found @ found[:9].T, unit(whole) @ unit(whole)[:9].T, atol=1e-4)


def test_directions_are_those_of_the_whole_decomposition() -> None:
    spread = np.exp(-np.arange(200) / 40).astype(np.float32)
    text = unit(random_texts(900) * spread)
    projection = fit_projection(features(text), ["article"] * 900, BUCKETS)
    exact = np.linalg.svd(text, full_matrices=False)[2][:128].T
    kept = np.linalg.norm(text @ projection.text) ** 2
    assert kept == pytest.approx(np.linalg.norm(text @ exact) ** 2, rel=1e-4)


def test_a_kind_of_few_items_counts_as_much_as_a_kind_of_many() -> None:
    many, few = np.zeros((2_000, 300), np.float32), np.zeros((40, 300), np.float32)
    many[np.arange(2_000), np.arange(2_000) % 200] = 1
    few[np.arange(40), 200 + np.arange(40) % 5] = 1
    projection = fit_projection(features(np.concatenate([many, few])), ["big"] * 2_000 + ["small"] * 40, BUCKETS)
    np.testing.assert_allclose(np.linalg.norm(projection.text[200:205], axis=1), np.ones(5), atol=1e-3)


@pytest.mark.parametrize("count", [1, 5, 50])
def test_a_tiny_sample_leaves_room_for_texts_it_has_not_seen(count: int) -> None:
    projection = fit_projection(features(random_texts(count)), ["article"] * count, BUCKETS)
    new = random_texts(50, seed=7)
    found = projection.embed(features(new))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(50), atol=1e-5)
    assert np.corrcoef((found @ found.T).ravel(), (new @ new.T).ravel())[0, 1] > 0.9


def test_an_encoder_of_fewer_than_128_dimensions_loses_nothing() -> None:
    text = random_texts(30, dimension=20)
    found = fit_projection(features(text), ["article"] * 30, BUCKETS).embed(features(text))
    np.testing.assert_allclose(found @ found.T, text @ text.T, atol=1e-5)


def test_a_sample_without_any_content_still_gives_vectors() -> None:
    empty = features(np.zeros((3, 200), np.float32))
    projection = fit_projection(empty, ["article"] * 3, BUCKETS)
    np.testing.assert_array_equal(projection.embed(empty), np.eye(128, dtype=np.float32)[[127] * 3])


def test_the_same_seed_gives_the_same_matrix_and_rows_may_change_places() -> None:
    given = features(random_texts(600))
    one, two = (fit_projection(given, ["article"] * 600, BUCKETS, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.text, two.text)
    turned = replace(given, text=given.text[::-1].copy())
    three = fit_projection(turned, ["article"] * 600, BUCKETS, seed=3)
    some = features(random_texts(20, seed=5))
    np.testing.assert_allclose(one.embed(some) @ one.embed(some).T, three.embed(some) @ three.embed(some).T, atol=0.05)
