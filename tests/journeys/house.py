"""A house: a folder with a configuration, an engine and a bundle, and what the tests ask of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domain.items import Item, ItemKey
from domain.versions import StoredItem, VectorState
from sidetower.config import load_config
from sidetower.indexing import first_generation
from sidetower.parts import Parts
from tests.journeys.catalogue import CONFIG
from tests.journeys.processes import Background, run

KIND = "listing"


@dataclass(frozen=True)
class House:
    """One installation of Sidetower."""

    folder: Path

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``sidetower ...`` here to its end."""
        return run(self.folder, *arguments, environ=environ)

    def json(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Any:
        """What ``sidetower ... --json`` answers; it has to succeed."""
        done = self.run(*arguments, "--json", environ=environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def index(self, path: Path, tenant: str) -> dict[str, Any]:
        """The counts of an index run that has to succeed."""
        counts: dict[str, Any] = self.json("index", "--file", str(path), "--tenant", tenant)
        return counts

    def background(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Background:
        """Start ``sidetower ...`` here."""
        return Background(self.folder, *arguments, environ=environ)

    def parts(self) -> Parts:
        """A second pair of eyes on the same engine, in this process."""
        return Parts(load_config(self.folder / "sidetower.toml", {}))

    def copy(self, folder: Path) -> House:
        """The same house on the embedded engine in a folder that does not exist yet."""
        shutil.copytree(self.folder, folder)
        return House(folder)

    def unfilled(self, folder: Path, *, opensearch: str = "", prefix: str = "", redis: str = "") -> House:
        """A house with this one's bundle and a release, without any item: its first index needs no training."""
        shutil.copytree(self.folder / ".sidetower" / "bundles", folder / ".sidetower" / "bundles")
        engine = f'[engine]\nopensearch = "{opensearch}"\nprefix = "{prefix}"\n' if opensearch else ""
        queue = f'[queue]\nredis = "{redis}"\n' if redis else ""
        (folder / "sidetower.toml").write_text(engine + queue + CONFIG)
        house = House(folder)
        parts = house.parts()
        [bundle_id] = parts.bundles.ids()
        first_generation(parts, parts.config.kind(KIND), bundle_id)
        return house


def stored(parts: Parts) -> dict[ItemKey, StoredItem]:
    """Everything in the generation that is served.

    Raises:
        AssertionError: a key stands twice.
    """
    generation = parts.view.for_writing(KIND).default.generation
    parts.engine.refresh(generation)
    found: dict[ItemKey, StoredItem] = {}
    after: ItemKey | None = None
    while page := parts.engine.scan(generation, after=after, limit=500):
        after = page[-1].key
        assert not found.keys() & {one.key for one in page}
        found |= {one.key: one for one in page}
    return found


def states(parts: Parts) -> dict[VectorState, int]:
    """How many items stand in which state."""
    told = [one.vector_state for one in stored(parts).values()]
    return {state: told.count(state) for state in VectorState}


def faults(parts: Parts, newest: Mapping[ItemKey, int]) -> list[str]:
    """What is wrong with the index: missing, surplus, of an old revision, or without the vector of its content."""
    found = stored(parts)
    wrong = [
        f"{key}: revision {found[key].change.revision if key in found else None} instead of {revision}"
        for key, revision in newest.items()
        if key not in found or found[key].change.revision != revision
    ]
    wrong += [f"{key} was never told" for key in found.keys() - newest.keys()]
    items = {key: one.item for key, one in found.items() if isinstance(one.item, Item)}
    embedder = parts.embedder_of(parts.view.for_writing(KIND).default.generation)
    for key, vector in zip(items, embedder.embed(list(items.values())), strict=True):
        held = found[key].vector
        if found[key].vector_state is not VectorState.READY or held is None:
            wrong.append(f"{key} has no vector")
        elif float(np.abs(held - vector).max()) > 1e-4:
            wrong.append(f"{key} has another content's vector")
    return wrong
