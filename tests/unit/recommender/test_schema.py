from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domain.errors import BundleRefused
from recommender.scalers import Scaler
from recommender.schema import FeatureSchema, KindSchema
from tests.unit.recommender.mini import ARTICLE, KINDS, LISTING

SCHEMA = FeatureSchema.of(KINDS, {"listing": {"price": Scaler(9.5, 0.8, log=True)}})


def test_text_fields_come_heaviest_first_and_the_title_leads() -> None:
    assert KindSchema.of(LISTING).texts == ("title", "description")
    assert KindSchema.of(LISTING).texts[0] == LISTING.title


def test_the_order_of_kinds_and_fields_does_not_matter() -> None:
    turned = replace(LISTING, category=LISTING.category[::-1], number=LISTING.number[::-1])
    assert FeatureSchema.of((ARTICLE, turned), SCHEMA.scalers).hash == SCHEMA.hash


def test_kinds_share_the_column_of_a_name() -> None:
    other = replace(ARTICLE, number=("price", "age"))
    assert FeatureSchema.of((LISTING, other), {}).slots == ("age", "mileage", "price")


@pytest.mark.parametrize(
    "changed",
    [
        replace(SCHEMA, buckets=16),
        replace(SCHEMA, passage_words=99),
        replace(SCHEMA, max_passages=3),
        replace(SCHEMA, max_categories=3),
        replace(SCHEMA, scalers={"listing": {"price": Scaler(9.5, 0.9, log=True)}}),
        FeatureSchema.of((LISTING,), SCHEMA.scalers),
        FeatureSchema.of((ARTICLE, replace(LISTING, category=("make",))), SCHEMA.scalers),
        FeatureSchema.of((ARTICLE, replace(LISTING, text={"title": 1.0, "description": 3.0})), SCHEMA.scalers),
    ],
)
def test_the_hash_differs_when_anything_differs(changed: FeatureSchema) -> None:
    assert changed.hash != SCHEMA.hash


def test_a_schema_survives_json() -> None:
    again = FeatureSchema.from_document(json.loads(json.dumps(SCHEMA.to_document())))
    assert again == SCHEMA
    assert again.hash == SCHEMA.hash


@pytest.mark.parametrize("place", ["hash_function", "text_recipe"])
def test_a_recipe_that_this_version_does_not_know_is_refused(place: str) -> None:
    with pytest.raises(BundleRefused, match=place):
        FeatureSchema.from_document(SCHEMA.to_document() | {place: "md5"})


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BundleRefused, match="article, listing"):
        SCHEMA.kind("film")
