"""A real, tiny answer to what ranking needs of a bundle: hashed words, inner products, nothing trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain.features import History, Scores
from domain.items import Item, ItemKey
from domain.ports import Scorer, TextEncoder, UserTower
from domain.search import Candidate
from domain.vectors import DIMENSIONS, Array, unit
from recommender.calibration import Calibration
from tests.support.toy_embedder import ToyEmbedder

#: How much an action says.
ACTIONS = {"impression": 0.0, "view": 1.0, "purchase": 4.0}


class ToyTextEncoder:
    """Hashed words; a text without a letter or digit gives zero.

    Args:
        identity: what its vectors belong to.
    """

    def __init__(self, identity: str = "toy") -> None:
        self.identity = identity
        self.dimension = DIMENSIONS

    def encode(self, texts: Sequence[str]) -> Array:
        """Unit vectors ``[n, 128]``."""
        known = [text if any(letter.isalnum() for letter in text) else "" for text in texts]
        items = [Item(ItemKey("t", "query", "q"), 0, texts={"query": text}) for text in known]
        return ToyEmbedder(self.identity).embed(items)


class ToyUserTower:
    """The mean of the history, weighted by action and age."""

    def embed(self, history: History, query: Array | None) -> Array:
        """Unit vector ``[128]``, or zero for an empty history."""
        return unit((history.items * (history.weights * np.exp(-history.ages))[:, None]).sum(axis=0))


class ToyScorer:
    """Inner products; the gate is one half."""

    def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
        """Scores of n candidates."""
        nothing = np.zeros(len(items), dtype=np.float32)
        return Scores(
            relevance=nothing if query is None else items @ query,
            gate=0.5,
            personal=nothing if user is None else items @ user,
        )


@dataclass(frozen=True)
class ToyManifest:
    """What it was built with."""

    signals: tuple[str, ...] = ("views",)
    calibration: Calibration | None = None


@dataclass(frozen=True)
class ToyBundle:
    """A bundle of the space that a `ToyEmbedder` of the same name writes."""

    id: str = "toy-1"
    space: str = "toy"
    manifest: ToyManifest = field(default_factory=ToyManifest)
    encoder: TextEncoder = field(default_factory=ToyTextEncoder)
    user_tower: UserTower = field(default_factory=ToyUserTower)
    scorer: Scorer = field(default_factory=ToyScorer)
    #: Ids by tenant, kind and id; under no id what is popular.
    neighbours: Mapping[tuple[str, str, str], Sequence[str]] = field(default_factory=dict)

    def related(self, tenant: str, kind: str, history: Sequence[str], limit: int) -> list[str]:
        """Those that the table says."""
        told = [other for id_ in history for other in self.neighbours.get((tenant, kind, id_), ())]
        return [id_ for id_ in dict.fromkeys(told) if id_ not in history][:limit]

    def popular(self, tenant: str, kind: str, limit: int) -> list[str]:
        """Those that the table has under no id."""
        return list(self.neighbours.get((tenant, kind, ""), ()))[:limit]

    def counts(self, action: str) -> bool:
        """Whether it says anything; impressions do not."""
        return ACTIONS.get(action, 1.0) > 0

    def signals(self, candidates: Sequence[Candidate], history: Sequence[str] = (), text: str = "") -> Array:
        """The items' own signals ``[n, s]``."""
        names = self.manifest.signals
        rows = [[candidate.item.signals.get(name, 0.0) for name in names] for candidate in candidates]
        return np.array(rows, dtype=np.float32).reshape(len(candidates), len(names))

    def embed_query(self, text: str) -> Array | None:
        """Unit vector ``[128]``; None when there is no word in it."""
        vector: Array = ToyTextEncoder(self.space).encode([text])[0]
        return vector if vector.any() else None

    def history(self, vectors: Array, action_names: Sequence[str], ages_seconds: Sequence[float]) -> History:
        """Events as the user tower reads them; impressions say nothing."""
        weights = np.array([ACTIONS.get(name, 1.0) for name in action_names], dtype=np.float32)
        ages = np.log1p(np.array(ages_seconds) / 86_400).astype(np.float32)
        kept = weights > 0
        return History(vectors[kept], weights[kept], ages[kept])
