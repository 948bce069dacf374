from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from domain.errors import BundleRefused
from domain.items import Item, ItemKey
from domain.vectors import unit
from recommender.features import FeatureBuilder, category_bucket, text_only
from recommender.scalers import Scaler
from recommender.schema import FeatureSchema
from tests.unit.recommender.mini import KINDS, LetterEncoder

PRICE, MILEAGE = Scaler(10.0, 4.0, log=False), Scaler(0.0, 2.0, log=False)
SCHEMA = FeatureSchema.of(KINDS, {"listing": {"price": PRICE, "mileage": MILEAGE}})
CAR = Item(
    ItemKey("north", "listing", "1"),
    revision=1,
    texts={"title": "abc", "description": "d"},
    categories={"make": ("volvo",), "fuel": ("petrol", "gas")},
    numbers={"price": 12.0},
    signals={"views": 3.0},
    filters={"price": (12.0,)},
)


def builder(encoder: LetterEncoder | None = None, schema: FeatureSchema = SCHEMA, **more: Any) -> FeatureBuilder:
    return FeatureBuilder(schema, more.pop("tenant_scalers", {}), encoder or LetterEncoder(), **more)


def test_the_bucket_is_crc32_of_field_and_value() -> None:
    # As `python -c "import zlib; print(hex(zlib.crc32(b'make=volvo')))"`, cksum -a crc32b or any other CRC-32 says.
    assert category_bucket("make", "volvo", 8_192) == 0x9012DB4A % 8_192 + 1
    assert 1 <= category_bucket("farbe", "grün", 3) <= 3


def test_the_values_of_a_field_share_one_weight() -> None:
    assert builder().categories(CAR) == {
        category_bucket("fuel", "petrol", 8_192): 1 / math.sqrt(2),
        category_bucket("fuel", "gas", 8_192): 1 / math.sqrt(2),
        category_bucket("make", "volvo", 8_192): 1.0,
    }


def test_values_that_meet_in_a_bucket_add_up() -> None:
    assert builder(schema=replace(SCHEMA, buckets=1)).categories(CAR) == {1: pytest.approx(1 + 2 / math.sqrt(2))}


def test_an_item_has_a_bounded_number_of_categories() -> None:
    many = replace(CAR, categories={"make": tuple(f"make {number}" for number in range(200))})
    assert len(builder().categories(many)) == SCHEMA.max_categories


def test_numbers_are_scaled_into_their_columns_and_missing_ones_flagged() -> None:
    found = builder().build([CAR])
    assert SCHEMA.slots == ("mileage", "price")
    np.testing.assert_array_equal(found.numbers, [[0, (12 - 10) / 4]])
    np.testing.assert_array_equal(found.known, [[0, 1]])


def test_a_tenants_own_scaler_is_preferred() -> None:
    own = {"north": {"listing": {"price": Scaler(8.0, 4.0, log=False)}}}
    assert builder(tenant_scalers=own).build([CAR]).numbers[0, 1] == (12 - 8) / 4
    south = replace(CAR, key=ItemKey("south", "listing", "1"))
    assert builder(tenant_scalers=own).build([south]).numbers[0, 1] == (12 - 10) / 4


def test_the_text_vector_is_the_mean_of_title_and_passages() -> None:
    title, passage = LetterEncoder().encode(["abc", "d"])
    np.testing.assert_allclose(builder().build([CAR]).text, [unit((title + passage) / 2)], atol=1e-7)


def test_an_item_without_text_has_a_zero_text_vector() -> None:
    assert not builder().build([replace(CAR, texts={})]).text.any()


def test_a_text_seen_before_is_not_encoded_again() -> None:
    encoder = LetterEncoder()
    features = builder(encoder)
    first = features.build([CAR, replace(CAR, numbers={})]).text
    assert encoder.asked == ["abc", "d"]
    np.testing.assert_array_equal(features.build([replace(CAR, categories={})]).text, first[:1])
    assert encoder.asked == ["abc", "d"]


def test_what_was_seen_long_ago_is_forgotten() -> None:
    encoder = LetterEncoder()
    features = builder(encoder, kept=2)
    for title in ("a", "b", "a", "c", "a", "b"):
        features.build([replace(CAR, texts={"title": title})])
    assert encoder.asked == ["a", "b", "c", "b"]


def test_batch_equals_single() -> None:
    items = [CAR, replace(CAR, categories={}, numbers={}), replace(CAR, texts={"title": "xyz"})]
    batch = builder().build(items)
    for row, item in enumerate(items):
        single = builder().build([item])
        np.testing.assert_allclose(batch.text[row], single.text[0], atol=1e-6)
        np.testing.assert_array_equal(batch.numbers[row], single.numbers[0])
        width = single.category_ids.shape[1]
        np.testing.assert_array_equal(batch.category_ids[row, :width], single.category_ids[0])
        np.testing.assert_array_equal(batch.category_weights[row, :width], single.category_weights[0])
        assert not batch.category_weights[row, width:].any()


def test_no_items_are_no_rows() -> None:
    found = builder().build([])
    assert found.text.shape == (0, 26)
    assert found.numbers.shape == (0, 2)
    assert len(found.category_ids) == 0


CHANGES: Mapping[str, Item] = {
    "title": replace(CAR, texts={"title": "abd", "description": "d"}),
    "body": replace(CAR, texts={"title": "abc", "description": "e"}),
    "text moved to another field": replace(CAR, texts={"title": "abc d"}),
    "category value": replace(CAR, categories={"make": ("saab",), "fuel": ("petrol", "gas")}),
    "category missing": replace(CAR, categories={"make": ("volvo",)}),
    "number": replace(CAR, numbers={"price": 13.0}),
    "number missing": replace(CAR, numbers={}),
    "median instead of missing": replace(CAR, numbers={"price": 12.0, "mileage": 0.0}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_inputs_hash_differs_when_the_tower_reads_something_else(change: str) -> None:
    assert builder().inputs_hash(CHANGES[change]) != builder().inputs_hash(CAR)


def test_inputs_hash_differs_with_the_scaler() -> None:
    own = {"north": {"listing": {"price": Scaler(8.0, 4.0, log=False)}}}
    assert builder(tenant_scalers=own).inputs_hash(CAR) != builder().inputs_hash(CAR)


@pytest.mark.parametrize(
    "same",
    [
        replace(CAR, signals={"views": 4.0}),
        replace(CAR, filters={}),
        replace(CAR, audience=("dealers",)),
        replace(CAR, revision=2),
        replace(CAR, numbers={"price": 12.0, "not in the schema": 1.0}),
    ],
)
def test_inputs_hash_is_blind_to_what_the_tower_does_not_read(same: Item) -> None:
    assert builder().inputs_hash(same) == builder().inputs_hash(CAR)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BundleRefused, match="film"):
        builder().build([replace(CAR, key=ItemKey("north", "film", "1"))])


def test_a_query_is_text_without_attributes() -> None:
    found = text_only(LetterEncoder().encode(["abc"]), slots=2)
    assert found.numbers.shape == found.known.shape == (1, 2)
    for attributes in (found.category_ids, found.category_weights, found.numbers, found.known):
        assert not attributes.any()


def test_the_hash_of_an_item_is_the_same_before_and_after_it_was_built() -> None:
    features, other = builder(), replace(CAR, texts={"title": "xyz"})
    before = [features.inputs_hash(CAR), features.inputs_hash(other)]
    features.build([CAR, other])
    assert [features.inputs_hash(CAR), features.inputs_hash(other)] == before
    features.build([other])
    assert features.inputs_hash(CAR) == before[0]
