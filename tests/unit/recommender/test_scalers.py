from __future__ import annotations

import math

import pytest

from domain.items import Item, ItemKey
from recommender.scalers import CLIP, Scaler, fit_scalers, table_document, table_from_document


def items(tenant: str, values: list[float], name: str = "price") -> list[Item]:
    return [
        Item(ItemKey(tenant, "listing", f"{tenant}{row}"), 0, numbers={name: value}) for row, value in enumerate(values)
    ]


def test_a_number_is_scaled_by_median_and_interquartile_range() -> None:
    scaler = Scaler.fit([0, 1, 2, 3, 4])
    assert not scaler.log
    assert scaler.scale(4) == (4 - 2) / (3 - 1)


def test_a_skewed_number_that_is_never_negative_is_scaled_by_its_logarithm() -> None:
    scaler = Scaler.fit([0, 1, 3, 7, 15])
    assert scaler.log
    assert scaler.scale(15) == pytest.approx((math.log(16) - math.log(4)) / (math.log(8) - math.log(2)), rel=1e-6)
    assert not Scaler.fit([-1, 0, 2, 6, 14]).log


def test_an_outlier_changes_nothing_and_is_clipped() -> None:
    assert Scaler.fit([0, 1, 2, 3, 4, 4]) != Scaler.fit([0, 1, 2, 3, 4, -9e9])
    assert Scaler.fit([-2, -1, 0, 1, 9e9], log=False).scale(0.5) == 0.5 / 2
    assert Scaler.fit([0, 1, 2, 3, 4]).scale(9e9) == CLIP
    assert Scaler.fit([0, 1, 2, 3, 4]).scale(-9e9) == -CLIP


def test_a_negative_value_of_a_logarithmic_field_counts_as_zero() -> None:
    scaler = Scaler.fit([0, 1, 3, 7, 15])
    assert scaler.scale(-5) == scaler.scale(0)


def test_a_constant_field_scales_to_zero_and_differs_by_its_unit() -> None:
    assert Scaler.fit([7, 7, 7]).scale(7) == 0
    assert Scaler.fit([7, 7, 7]).scale(8) == 1


def test_a_default_value_that_most_items_share_leaves_the_range_of_the_rest() -> None:
    scaler = Scaler.fit([0.0] * 90 + [-5.0] * 10, log=False)
    assert scaler.spread == 5


def test_a_tenant_with_enough_values_has_its_own_scaler_and_everyone_else_the_common_one() -> None:
    large, small = [float(value) for value in range(50)], [49.0] * 49
    common, tenants = fit_scalers(items("large", large) + items("small", small), {"listing": ["price"]})
    assert set(tenants) == {"large"}
    assert tenants["large"]["listing"]["price"].median == 24.5
    assert common["listing"]["price"].median == 49


def test_the_logarithm_is_decided_over_all_tenants() -> None:
    skewed = [float(2**power) for power in range(12)] * 20
    even = [float(value) for value in range(50)]
    common, tenants = fit_scalers(items("many", skewed) + items("even", even), {"listing": ["price"]})
    assert common["listing"]["price"].log
    assert tenants["even"]["listing"]["price"].log


def test_a_field_without_values_has_no_scaler() -> None:
    assert fit_scalers(items("north", [1.0]), {"listing": ["price", "mileage"]})[0]["listing"].keys() == {"price"}


def test_a_table_survives_json() -> None:
    common, _ = fit_scalers(items("north", [1.0, 2.5, 4.0]), {"listing": ["price"]})
    assert table_from_document(table_document(common)) == common
