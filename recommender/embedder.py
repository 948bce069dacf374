"""The embedder: items to vectors in one space."""

from __future__ import annotations

from collections.abc import Sequence

from domain.items import Item
from domain.ports import ItemTower
from domain.vectors import Array
from recommender.features import FeatureBuilder


class BundleEmbedder:
    """Features, text encoder and item tower of one bundle.

    Args:
        space: the space of the vectors.
        features: items to features.
        tower: features to vectors.
    """

    def __init__(self, space: str, features: FeatureBuilder, tower: ItemTower) -> None:
        self.space = space
        self._features = features
        self._tower = tower

    def embed(self, items: Sequence[Item]) -> Array:
        """Unit vectors ``[n, 128]`` of items of any kinds; batch equals single."""
        return self._tower.embed(self._features.build(items))

    def inputs_hash(self, item: Item) -> str:
        """Differs when anything that the item tower reads differs: texts, categories or scaled numbers."""
        return self._features.inputs_hash(item)
