"""Intervals of figures that two rankers get on the same cases."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InvalidQuery
from recommender.evaluation.intervals import difference, ratio


def test_a_constant_factor_has_no_uncertainty_however_the_cases_differ() -> None:
    baseline = np.random.default_rng(0).random(200)
    found = ratio(1.1 * baseline, baseline)
    assert (found.value, found.low, found.high) == pytest.approx((1.1, 1.1, 1.1))


def test_a_constant_gain_has_none_either() -> None:
    baseline = np.random.default_rng(0).random(200)
    found = difference(baseline + 0.25, baseline)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_the_interval_is_that_of_the_mean() -> None:
    gains = np.array([1.0, -1.0] * 200)
    found = difference(gains, np.zeros(400))
    # The standard error of a mean of 400 values of variance 1 is 1 / 20.
    assert found.value == 0
    assert found.low == pytest.approx(-1.96 / 20, abs=0.01)
    assert found.high == pytest.approx(1.96 / 20, abs=0.01)
    assert difference(gains, np.zeros(400)) == found


def test_unpaired_cases_and_an_empty_baseline_are_refused() -> None:
    with pytest.raises(InvalidQuery, match="same cases"):
        ratio(np.ones(3), np.ones(4))
    with pytest.raises(InvalidQuery, match="above 0"):
        ratio(np.ones(3), np.zeros(3))
