"""The wiring file: what a process remembers of a generation does not outlive it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from domain.errors import NotFound
from domain.releases import Generation
from sidetower.config import load_config
from sidetower.parts import Parts
from tests.support.toy_embedder import ToyEmbedder


class ToyBundle:
    """A bundle with nothing but an embedder, which tells its own bundle's name as its space."""

    def __init__(self, bundle_id: str) -> None:
        self.embedder = ToyEmbedder(bundle_id)


class ToyParts(Parts):
    """Parts whose bundles have an embedder only."""

    def bundle(self, bundle_id: str) -> Any:
        return ToyBundle(bundle_id)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Two bundles, each of a space with its own name."""
    (tmp_path / "sidetower.toml").write_text('[kinds.listing]\nid = "id"\ntext = { title = 3.0 }\n')
    made = ToyParts(load_config(tmp_path / "sidetower.toml", {}))
    for name in ("one", "two"):
        folder = made.config.path / "bundles" / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"space": name}))
    return made


def make(parts: Parts, space: str) -> None:
    parts.generations.create(Generation("listing-g1", "listing", space, {"title": 3.0}))


def test_the_embedder_is_that_of_the_generations_space(parts: Parts) -> None:
    with pytest.raises(NotFound, match="listing-g1"):
        parts.embedder_of("listing-g1")
    make(parts, "two")
    assert parts.embedder_of("listing-g1").space == "two"
    assert parts.embedder_of("listing-g1") is parts.embedder_of("listing-g1")


def test_a_space_without_a_bundle_is_told_and_tried_again(parts: Parts) -> None:
    make(parts, "three")
    with pytest.raises(NotFound, match="space three"):
        parts.embedder_of("listing-g1")
    folder = parts.config.path / "bundles" / "three"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"space": "three"}))
    assert parts.embedder_of("listing-g1").space == "three"


@pytest.mark.slow
def test_a_name_that_is_given_again_gets_the_embedder_of_its_new_space(parts: Parts) -> None:
    make(parts, "one")
    assert parts.embedder_of("listing-g1").space == "one"
    parts.generations.drop("listing-g1")
    make(parts, "two")
    deadline = time.monotonic() + 60
    while parts.embedder_of("listing-g1").space != "two":
        assert time.monotonic() < deadline
        time.sleep(0.1)
