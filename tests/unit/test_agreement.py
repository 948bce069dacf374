"""Agreement: a configuration that no longer describes what was indexed is refused before it does harm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.releases import Generation
from indexer.releases import begin
from recommender.schema import FeatureSchema, KindSchema
from sidetower.agreement import check_agreement
from sidetower.config import load_config
from sidetower.indexing import first_generation
from sidetower.parts import Parts

CONFIG = """
[kinds.listing]
id = "id"
text = { title = 3.0 }
category = ["make"]
filter = { price = "number" }
"""
MADE = Generation("listing-g1", "listing", "toy", {"title": 3.0}, {"price": "number"})


@dataclass(frozen=True)
class ToyManifest:
    """What agreement reads of a manifest."""

    schema: FeatureSchema


@dataclass(frozen=True)
class ToyBundle:
    """What agreement reads of a bundle."""

    manifest: ToyManifest
    space: str = "toy"


class ToyParts(Parts):
    """Parts whose bundle has nothing but a schema."""

    def bundle(self, bundle_id: str) -> Any:
        schema = FeatureSchema((KindSchema("listing", ("title",), ("make",), ()),), {})
        return ToyBundle(ToyManifest(schema))


def parts_of(folder: Path, more: str = "") -> Parts:
    (folder / "sidetower.toml").write_text(CONFIG + more)
    return ToyParts(load_config(folder / "sidetower.toml", {}))


def check(parts: Parts) -> None:
    check_agreement(parts, parts.config.kind("listing"))


def test_what_was_made_from_the_configuration_agrees_with_it(tmp_path: Path) -> None:
    for number, more in enumerate(("", 'audience = "visible_to"\n')):
        folder = tmp_path / str(number)
        folder.mkdir()
        parts = parts_of(folder, more)
        first_generation(parts, parts.config.kind("listing"), "bundle-1")
        assert [one.audience for one in parts.generations.all()] == ["visible_to" if more else ""]
        check(parts)


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ("", 'audience = "visible_to"\n', "audience is visible_to, was no field"),
        ("visible_to", "", "audience is no field, was visible_to"),
        ("visible_to", 'audience = "groups"\n', "audience is groups, was visible_to"),
    ],
)
def test_an_audience_that_came_went_or_changed_is_told(tmp_path: Path, then: str, now: str, told: str) -> None:
    parts = parts_of(tmp_path, now)
    begin(parts.releases, parts.generations, replace(MADE, audience=then), "bundle-1")
    with pytest.raises(ConfigurationError) as refused:
        check(parts)
    assert refused.value.got == told


@pytest.mark.parametrize("now", ["", 'audience = "visible_to"\n'])
def test_a_generation_that_did_not_write_its_audience_down_agrees_with_any(tmp_path: Path, now: str) -> None:
    parts = parts_of(tmp_path, now)
    begin(parts.releases, parts.generations, MADE, "bundle-1")
    check(parts)


def test_every_role_that_differs_is_told(tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    made = replace(MADE, text_weights={"title": 2.0}, filter_types={}, audience="groups")
    begin(parts.releases, parts.generations, made, "bundle-1")
    with pytest.raises(ConfigurationError) as refused:
        check(parts)
    assert refused.value.got.split("; ") == [
        "text is {title = 3.0}, was {title = 2.0}",
        "filter is {price = number}, was {}",
        "audience is no field, was groups",
    ]
