"""An installation to measure: a catalogue's file, its configuration and a bundle, in a folder that can be kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from benchmarks.catalogues import TENANT, Catalogue
from domain.catalogue import Kind
from domain.errors import InvalidItem
from domain.items import Item
from domain.releases import Generation
from plugin.files.opening import open_file_source
from recommender.bundle import Bundle
from sidetower.config import load_config
from sidetower.indexing import build_bundle, items_of, sampled
from sidetower.parts import Parts

#: The fill reads a catalogue of any size; a pretrained encoder is not to read thousands for its projection.
PRETRAINED_SAMPLE = 300


@dataclass(frozen=True)
class Installation:
    """One catalogue, one bundle, one engine."""

    folder: Path
    parts: Parts
    kind: Kind
    bundle: Bundle

    @property
    def config(self) -> Path:
        """The configuration file, for processes of their own."""
        return self.parts.config.place

    def items(self, count: int | None = None) -> Iterator[Item | InvalidItem]:
        """A fresh pass over the file."""
        source = open_file_source(self.folder / "items.jsonl", self.kind.id)
        return islice(items_of(source, self.kind, TENANT), count)

    def fresh_bundle(self) -> Bundle:
        """The bundle without the text vectors that it remembers."""
        return replace(self.bundle)

    def generation(self, name: str) -> Generation:
        """A generation of the bundle's space, as `sidetower index` would make it."""
        return Generation(
            name=name,
            kind=self.kind.name,
            space=self.bundle.space,
            text_weights=dict(sorted(self.kind.text.items(), key=lambda pair: -pair[1])),
            filter_types={field: kind.value for field, kind in self.kind.filter.items()},
        )


def install(
    folder: Path, catalogue: Catalogue, *, items: int, encoder: str, opensearch: str = "", redis: str = ""
) -> Installation:
    """The installation in this folder; what an earlier run left of file and bundle is used again.

    Args:
        folder: of one catalogue and one encoder.
        items: how many of the catalogue's documents the file holds.
        encoder: as for `sidetower index --encoder`.
        opensearch: address; empty for the embedded engine.
        redis: address; empty for the queue of this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "items.jsonl"
    file.write_text("".join(json.dumps(row, default=str) + "\n" for row in islice(catalogue.rows(), items)))
    config = folder / f"{'opensearch' if opensearch else 'embedded'}.toml"
    server = f'opensearch = "{opensearch}"\n' if opensearch else ""
    queue = f'[queue]\nredis = "{redis}"\n' if redis else ""
    config.write_text(
        f'[engine]\n{server}path = "data"\nprefix = "bench-"\n{queue}[kinds.{catalogue.kind}]\n{catalogue.toml}'
    )
    parts = Parts(load_config(config, {}))
    kind = parts.config.kind()
    if not parts.bundles.ids():
        pretrained = encoder != "bootstrap"
        readable = sampled(items_of(open_file_source(file, kind.id), kind, TENANT))
        sample = readable[:PRETRAINED_SAMPLE] if pretrained else readable
        build_bundle(parts, [kind], sample, encoder, lambda *_: None)
    [bundle_id] = parts.bundles.ids()
    return Installation(folder, parts, kind, parts.bundle(bundle_id))
