"""Calibration on pairs whose true probability is known."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import ConfigurationError
from recommender.bundle import Bundle
from recommender.calibration import Calibration
from recommender.evaluation.platt import BINS, NEVER, fit_calibration, reliability
from recommender.manifest import Manifest

SLOPE, INTERCEPT = 3.0, -1.0


def pairs(count: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Relevances, and whether the item fits, by Platt's own curve."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(0, 1, count)
    return relevance, rng.random(count) < 1 / (1 + np.exp(-(SLOPE * relevance + INTERCEPT)))


def test_the_curve_that_made_the_pairs_is_found() -> None:
    found = fit_calibration(*pairs(20_000), precision=0.8)
    assert (found.slope, found.intercept) == pytest.approx((SLOPE, INTERCEPT), rel=0.1)
    assert found.probability(np.array([0.5], np.float32)).tolist() == pytest.approx(
        [1 / (1 + exp(-(SLOPE * 0.5 + INTERCEPT)))], abs=0.02
    )


def test_the_threshold_is_the_lowest_that_keeps_the_precision_on_other_pairs_too() -> None:
    found = fit_calibration(*pairs(20_000), precision=0.8)
    other = reliability(found, *pairs(20_000, seed=1))
    assert other.precision == pytest.approx(0.8, abs=0.03)
    stricter = fit_calibration(*pairs(20_000), precision=0.95)
    assert stricter.threshold > found.threshold
    assert reliability(stricter, *pairs(20_000, seed=1)).recall < other.recall


def test_what_is_told_is_what_is_seen() -> None:
    found = reliability(fit_calibration(*pairs(20_000), precision=0.8), *pairs(20_000, seed=1))
    assert len(found.bins) == BINS
    assert found.error < 0.03
    # Twice as sure as it may be is found out.
    sure = Calibration(2 * SLOPE, 2 * INTERCEPT, 0.5)
    assert reliability(sure, *pairs(20_000, seed=1)).error > 0.05


def test_a_precision_that_is_not_to_be_had_offers_nothing() -> None:
    rng = np.random.default_rng(0)
    found = fit_calibration(rng.normal(0, 1, 2_000), rng.random(2_000) < 0.3, precision=0.9)
    assert found.threshold == NEVER
    assert reliability(found, *pairs(100)).precision is None


def test_pairs_that_are_told_apart_perfectly_have_a_finite_slope() -> None:
    relevance = np.concatenate([np.linspace(-2, -1, 100), np.linspace(1, 2, 100)])
    found = fit_calibration(relevance, relevance > 0, precision=0.9)
    assert 0 < found.slope < 100
    assert found.probability(relevance.astype(np.float32))[[0, -1]].tolist() == pytest.approx([0, 1], abs=0.05)


def test_a_few_pairs_calibrate_nothing() -> None:
    with pytest.raises(ConfigurationError, match="at least 50"):
        fit_calibration(np.zeros(99), np.arange(99) < 49, precision=0.8)


@pytest.mark.training
def test_the_manifest_keeps_it_and_the_bundle_has_another_id(bundle: Bundle, tmp_path: Path) -> None:
    calibrated = replace(bundle.manifest, calibration=Calibration(3.0, -1.0, 0.7))
    assert calibrated.bundle != bundle.manifest.bundle
    assert calibrated.space == bundle.manifest.space
    calibrated.write(tmp_path)
    assert Manifest.read(tmp_path) == calibrated
    assert bundle.manifest.calibration is None
