"""Rankers compared on the same cases, in figures and in words."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.evaluation.comparison import MAIN, Comparison, compare
from recommender.evaluation.metrics import RankingMetrics

CASES = 400


def figures(ndcg: list[float]) -> RankingMetrics:
    column = np.array(ndcg * (CASES // len(ndcg)))
    return RankingMetrics(column, column, column, column)


def found(ours: list[float]) -> Comparison:
    methods = {"ours": figures(ours), "window": figures([1.0]), "weak": figures([0.1]), "EASE": figures([0.4, 0.6])}
    return compare("all", methods, "ours", alike=("window",))


def test_means_and_paired_gains() -> None:
    told = found([0.5, 0.7])
    assert told.cases == CASES
    assert told.methods["EASE"][MAIN].value == pytest.approx((0.4 + 0.6) / 2)
    gain = told.gains["EASE"][MAIN]
    # Ours is better by the same in every case, so there is nothing uncertain about it.
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1))
    assert set(told.gains) == {"weak", "EASE"}


def test_the_best_baseline_decides() -> None:
    assert (found([0.5, 0.7]).best, found([0.5, 0.7]).winner) == ("EASE", "ours")
    assert found([0.3, 0.5]).winner == "EASE"
    assert "EASE is better than the bundle" in found([0.3, 0.5]).verdict()
    assert "the bundle is better than every baseline" in found([0.5, 0.7]).verdict()


def test_a_gain_that_may_be_chance_is_nobodys() -> None:
    told = found([0.9, 0.1, 0.95, 0.1])
    assert told.gains["EASE"][MAIN].low < 0 < told.gains["EASE"][MAIN].high
    assert told.winner is None
    assert "no difference" in told.verdict()


def test_the_document_holds_every_figure() -> None:
    document = found([0.3, 0.5]).to_document()
    assert document["best_baseline"] == document["winner"] == "EASE"
    assert document["methods"]["weak"][MAIN]["value"] == 0.1
    assert document["gains"]["EASE"][MAIN]["value"] == pytest.approx(-0.1)
