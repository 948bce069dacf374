"""A real, tiny answer to the ItemEmbedder port: hashed words, no bundle needed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from domain.items import Item
from domain.vectors import DIMENSIONS, Array, unit


class ToyEmbedder:
    """Each word of the texts and each category adds one to a hashed dimension; numbers are not read.

    Args:
        space: what its vectors belong to.
        poison: an item whose texts hold this word cannot be embedded.
    """

    def __init__(self, space: str = "toy", poison: str = "") -> None:
        self.space = space
        self.embedded: list[str] = []
        self._poison = poison

    def embed(self, items: Sequence[Item]) -> Array:
        """Unit vectors ``[n, 128]``."""
        vectors = np.zeros((len(items), DIMENSIONS), dtype=np.float32)
        for row, item in zip(vectors, items, strict=True):
            words = self._words(item)
            if self._poison and self._poison in words:
                raise ValueError(f"cannot embed {self._poison}")
            for word in words:
                row[zlib.crc32(f"{self.space}:{word}".encode()) % DIMENSIONS] += 1
        self.embedded += [item.key.id for item in items]
        return unit(vectors)

    def inputs_hash(self, item: Item) -> str:
        """The words, joined."""
        return " ".join(self._words(item))

    def _words(self, item: Item) -> list[str]:
        return [*" ".join(item.texts.values()).lower().split(), *(v for vs in item.categories.values() for v in vs)]
