"""Bundle zero: a whole bundle from a catalogue alone, before anybody has clicked anything."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from domain.catalogue import Kind
from domain.errors import ConfigurationError
from domain.items import Item
from recommender.bundle import open_networks
from recommender.features import FeatureBuilder
from recommender.golden import golden_items, write_golden
from recommender.manifest import (
    GOLDEN_FILE,
    ITEM_TOWER_FILE,
    SCORER_FILE,
    USER_TOWER_FILE,
    Manifest,
    file_hash,
)
from recommender.scalers import ScalerTable, fit_scalers
from recommender.schema import FeatureSchema
from recommender.text_encoder import EncoderSettings, OnnxTextEncoder
from recommender.training.bootstrap import Budget, Progress, train_bootstrap
from recommender.training.frameworks import load_tensorflow
from recommender.training.pairs import text_pairs
from recommender.training.pretrained import bring_encoder
from recommender.training.projection import fit_projection
from recommender.training.static_encoder import StaticEncoder
from recommender.training.zero_networks import export_item_tower, export_scorer, export_user_tower

#: Items of each kind that scalers and text encoder are fitted on; a larger catalogue is sampled.
SAMPLE: Final = 10_000
#: Items of each kind that the projection is fitted on, by text encoder: a pretrained one is slow.
PROJECTION_SAMPLE: Final = 4_000
PROJECTION_SAMPLE_PRETRAINED: Final = 500
#: Items between two reports of progress.
CHUNK: Final = 100
BOOTSTRAP: Final = "bootstrap"


def build_bundle_zero(
    kinds: Sequence[Kind],
    items: Iterable[Item],
    encoder: str,
    out: Path,
    progress: Progress | None = None,
    *,
    budget: Budget | None = None,
    seed: int = 0,
) -> Path:
    """A complete bundle made from a catalogue; the same catalogue, encoder and seed give the same one.

    Args:
        kinds: every kind that the bundle is to embed.
        items: the catalogue, in one fixed order; of a large one a sample is kept.
        encoder: ``bootstrap`` to train one on the catalogue, else a sentence-transformers model by hub name
            or folder, or a folder that `pretrained.export_encoder` wrote.
        out: the bundle's folder is made in this one.
        progress: told what is being done, how far it is and how far it goes.
        budget: when training of a bootstrap encoder stops.
        seed: of everything random.

    Returns:
        The bundle's folder, named by its id.

    Raises:
        ConfigurationError: the catalogue is empty, or the training extra is not installed.
        BundleRefused: an exported network does not compute what it should.
    """
    load_tensorflow()
    tell = progress or (lambda _stage, _done, _total: None)
    sample = _sample(items, seed, tell)
    if not sample:
        raise ConfigurationError("catalogue", expected="at least one item", got="none", fix="Read some items first.")
    scalers, tenant_scalers = fit_scalers(sample, {kind.name: kind.number for kind in kinds})
    schema = FeatureSchema.of(kinds, scalers)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as name:
        folder = Path(name) / "bundle"
        folder.mkdir()
        if encoder == BOOTSTRAP:
            settings = _train_encoder(sample, schema, budget or Budget(), seed, tell).save(folder)
            few = _few(sample, PROJECTION_SAMPLE, seed)
        else:
            tell("bringing the text encoder", 0, 1)
            settings = bring_encoder(encoder, folder)
            few = _few(sample, PROJECTION_SAMPLE_PRETRAINED, seed)
        _write_networks(
            folder, FeatureBuilder(schema, tenant_scalers, OnnxTextEncoder(folder, settings, "")), few, tell
        )
        manifest = _describe(folder, settings, schema, tenant_scalers, sample)
        target = out / manifest.bundle
        if not target.exists():
            folder.rename(target)
    return target


def _train_encoder(
    sample: Sequence[Item], schema: FeatureSchema, budget: Budget, seed: int, tell: Progress
) -> StaticEncoder:
    texts = [text for item in sample for text in item.texts.values()]
    texts += [" ".join(values) for item in sample for values in item.categories.values()]
    return train_bootstrap(texts, text_pairs(sample, schema), budget, seed, tell)


def _write_networks(folder: Path, features: FeatureBuilder, sample: Sequence[Item], tell: Progress) -> None:
    stage = "embedding a sample"
    for start in range(0, len(sample), CHUNK):
        features.text(sample[start : start + CHUNK])
        tell(stage, min(start + CHUNK, len(sample)), len(sample))
    kinds = [item.key.kind for item in sample]
    projection = fit_projection(features.build(sample), kinds, features.schema.buckets)
    tell("exporting the networks", 0, 3)
    export_item_tower(projection, folder / ITEM_TOWER_FILE)
    tell("exporting the networks", 1, 3)
    export_user_tower(folder / USER_TOWER_FILE)
    tell("exporting the networks", 2, 3)
    export_scorer(folder / SCORER_FILE)
    tell("exporting the networks", 3, 3)


def _describe(
    folder: Path,
    settings: EncoderSettings,
    schema: FeatureSchema,
    tenant_scalers: Mapping[str, ScalerTable],
    sample: Sequence[Item],
) -> Manifest:
    """Write golden file and manifest: the numbers of the one, the checksums of the other."""
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
    manifest = Manifest(
        encoder=settings,
        schema=schema,
        files=files,
        tenant_scalers=tenant_scalers,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        metrics={"sampled_items": len(sample)},
    )
    manifest = replace(manifest, user_tower_space=manifest.space, scorer_space=manifest.space)
    write_golden(folder, open_networks(folder, manifest), golden_items(schema, sample))
    manifest = replace(manifest, files=files | {GOLDEN_FILE: file_hash(folder / GOLDEN_FILE)})
    manifest.write(folder)
    return manifest


def _sample(items: Iterable[Item], seed: int, tell: Progress) -> list[Item]:
    """At most `SAMPLE` items of each kind, each as likely as any other (Vitter 1985, algorithm R), in order."""
    rng = np.random.default_rng(seed)
    kept: dict[str, list[tuple[int, Item]]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    number = 0
    for number, item in enumerate(items, start=1):
        kind = item.key.kind
        seen[kind] += 1
        if len(kept[kind]) < SAMPLE:
            kept[kind].append((number, item))
        elif (place := int(rng.integers(seen[kind]))) < SAMPLE:
            kept[kind][place] = (number, item)
        if number % 1_000 == 0:
            tell("reading items", number, 0)
    tell("reading items", number, number)
    return [item for _, item in sorted((one for some in kept.values() for one in some), key=lambda one: one[0])]


def _few(sample: Sequence[Item], most: int, seed: int) -> list[Item]:
    """At most so many items of each kind, in order."""
    rng = np.random.default_rng(seed)
    found: list[int] = []
    for kind in sorted({item.key.kind for item in sample}):
        rows = [row for row, item in enumerate(sample) if item.key.kind == kind]
        found += rng.permutation(rows)[:most].tolist()
    return [sample[row] for row in sorted(found)]
