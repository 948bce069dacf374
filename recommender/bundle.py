"""Bundles: text encoder, item tower, user tower and scorer that belong together, loaded from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from domain.errors import BundleRefused
from domain.features import History
from domain.ports import ItemEmbedder, ItemTower, Scorer, TextEncoder, UserTower
from domain.search import Candidate
from domain.vectors import Array
from recommender.embedder import BundleEmbedder
from recommender.features import FeatureBuilder, text_only
from recommender.manifest import (
    COPY_AGAIN,
    ITEM_TOWER_FILE,
    RELEVANCE_FILE,
    SCORER_FILE,
    USER_TOWER_FILE,
    Manifest,
    file_hash,
)
from recommender.neighbour_file import NEIGHBOURS_FILE, NeighbourTables, read_neighbours
from recommender.signals import read_signals
from recommender.text_encoder import ENCODER_FILE, OnnxTextEncoder
from recommender.towers import OnnxItemTower, OnnxScorer, OnnxUserTower
from recommender.words import WORDS_FILE, QueryWords, read_words


@dataclass(frozen=True)
class Bundle:
    """The networks of one bundle, ready to run; safe for several threads at once."""

    manifest: Manifest
    encoder: TextEncoder
    item_tower: ItemTower
    user_tower: UserTower
    scorer: Scorer
    neighbours: NeighbourTables = field(default_factory=NeighbourTables)
    #: Finds queries in items, for the relevance that was trained on judgments.
    words: QueryWords | None = None

    @cached_property
    def id(self) -> str:
        """The bundle's id."""
        return self.manifest.bundle

    @cached_property
    def space(self) -> str:
        """What makes its vectors comparable with others."""
        return self.manifest.space

    @cached_property
    def features(self) -> FeatureBuilder:
        """Items to features."""
        return FeatureBuilder(self.manifest.schema, self.manifest.tenant_scalers, self.encoder)

    @cached_property
    def embedder(self) -> ItemEmbedder:
        """Items to vectors."""
        return BundleEmbedder(self.space, self.features, self.item_tower)

    def signals(self, candidates: Sequence[Candidate], history: Sequence[str] = (), text: str = "") -> Array:
        """What the scorer reads of n candidates beside their vectors ``[n, s]`` (`read_signals`)."""
        asked = None
        if self.words is not None and text and candidates:
            title = self.manifest.schema.kind(candidates[0].item.key.kind).texts[0]
            asked = self.words.columns(text, candidates, title)
        return read_signals(self.manifest.signals, self.neighbours, candidates, history, asked)

    def related(self, tenant: str, kind: str, history: Sequence[str], limit: int) -> list[str]:
        """Ids of the items that go with a history of ids, best first; none where nobody counted."""
        table = self.neighbours.of(tenant, kind)
        return [] if table is None else table.related(history, limit)

    def popular(self, tenant: str, kind: str, limit: int) -> list[str]:
        """Ids of the items that most people had to do with; none where nobody counted."""
        table = self.neighbours.of(tenant, kind)
        return [] if table is None else table.popular(limit)

    def counts(self, action: str) -> bool:
        """Whether an action says anything about taste."""
        return self.manifest.history.weight(action) > 0

    def embed_query(self, text: str) -> Array | None:
        """A text as a unit vector ``[128]`` in the item space; None when the text has no known token."""
        vector = self.encoder.encode([text])
        if not vector.any():
            return None
        query: Array = self.item_tower.embed(text_only(vector, len(self.manifest.schema.slots)))[0]
        return query

    def history(self, vectors: Array, action_names: Sequence[str], ages_seconds: Sequence[float]) -> History:
        """Events as the user tower reads them.

        Args:
            vectors: ``[h, 128]`` vectors of the items acted upon.
            action_names: h names.
            ages_seconds: h ages.
        """
        return self.manifest.history.build(vectors, action_names, ages_seconds)


def load_bundle(folder: Path, threads: int = 1) -> Bundle:
    """The bundle in this folder, checksums and spaces checked.

    Args:
        folder: holds manifest.json and the parts.
        threads: threads of one call of one network.

    Raises:
        BundleRefused: names the part that is missing, damaged or of another space.
    """
    manifest = Manifest.read(folder)
    for name, expected in manifest.files.items():
        check_file(folder, name, expected)
    return open_networks(folder, manifest, threads)


def open_networks(folder: Path, manifest: Manifest, threads: int = 1) -> Bundle:
    """The networks of this folder as the manifest describes them, files taken as they are.

    Raises:
        BundleRefused: a file is no network, or has another shape than the manifest says.
    """
    encoder = OnnxTextEncoder(folder, manifest.encoder, manifest.encoder_identity, threads)
    if encoder.dimension != manifest.encoder.dimension:
        raise BundleRefused(
            f"bundle {folder.name}, {ENCODER_FILE}",
            expected=f"vectors of {manifest.encoder.dimension}",
            got=str(encoder.dimension),
            fix="Build the bundle anew.",
        )
    counted, judged = NEIGHBOURS_FILE in manifest.files, RELEVANCE_FILE in manifest.files
    return Bundle(
        manifest=manifest,
        encoder=encoder,
        item_tower=OnnxItemTower(folder / ITEM_TOWER_FILE, threads),
        user_tower=OnnxUserTower(folder / USER_TOWER_FILE, threads),
        scorer=OnnxScorer(folder / SCORER_FILE, threads, folder / RELEVANCE_FILE if judged else None),
        neighbours=read_neighbours(folder / NEIGHBOURS_FILE) if counted else NeighbourTables(),
        words=read_words(folder / WORDS_FILE) if judged else None,
    )


def check_file(folder: Path, name: str, expected: str) -> None:
    """Check one part of a bundle's folder against its SHA-256.

    Raises:
        BundleRefused: it is not there, or has another one.
    """
    place = f"bundle {folder.name}, {name}"
    if not (folder / name).is_file():
        raise BundleRefused(place, expected="the file", got="no such file", fix=COPY_AGAIN)
    found = file_hash(folder / name)
    if found != expected:
        raise BundleRefused(place, expected=f"checksum {expected[:12]}", got=found[:12], fix=COPY_AGAIN)
