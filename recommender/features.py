"""Features: items as arrays, by the one path that training and serving share."""

from __future__ import annotations

import hashlib
import math
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from domain.features import ItemFeatures
from domain.items import Item
from domain.ports import TextEncoder
from domain.vectors import Array, unit
from recommender.passages import item_passages
from recommender.scalers import ScalerTable
from recommender.schema import FeatureSchema

#: Text vectors kept in memory: 15 MB of 384 numbers each.
TEXT_VECTORS_KEPT: Final = 10_000


class FeatureBuilder:
    """Reads items by a schema; remembers the text vectors of the texts it saw last.

    Args:
        schema: the recipe.
        tenant_scalers: a tenant's own scalers, preferred to the schema's, by tenant, kind and field.
        encoder: texts to vectors.
        kept: how many text vectors to remember.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        tenant_scalers: Mapping[str, ScalerTable],
        encoder: TextEncoder,
        kept: int = TEXT_VECTORS_KEPT,
    ) -> None:
        self.schema = schema
        self._tenant_scalers = tenant_scalers
        self._encoder = encoder
        self._kept = kept
        self._vectors: OrderedDict[bytes, Array] = OrderedDict()
        self._lock = threading.Lock()

    def build(self, items: Sequence[Item]) -> ItemFeatures:
        """What the item tower reads of these items."""
        categories = [self.categories(item) for item in items]
        width = max([1, *map(len, categories)])
        ids = np.zeros((len(items), width), np.int64)
        weights = np.zeros((len(items), width), np.float32)
        for row, found in enumerate(categories):
            ids[row, : len(found)] = list(found)
            weights[row, : len(found)] = list(found.values())
        numbers, known = self._numbers(items)
        return ItemFeatures(self.text(items), ids, weights, numbers, known)

    def inputs_hash(self, item: Item) -> str:
        """32 hexadecimal digits over exactly what `build` reads of the item."""
        numbers, known = self._numbers([item])
        parts = (repr(self.passages(item)), repr(list(self.categories(item).items())))
        digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass"))
        digest.update(numbers.astype("<f4").tobytes() + known.astype("<f4").tobytes())
        return digest.hexdigest()[:32]

    def passages(self, item: Item) -> tuple[str, ...]:
        """The title and the passages that the text encoder reads."""
        schema = self.schema
        return item_passages(item.texts, schema.kind(item.key.kind).texts, schema.passage_words, schema.max_passages)

    def categories(self, item: Item) -> dict[int, float]:
        """Weights by bucket. A field's k values weigh 1 / sqrt(k) each, so that every field weighs the same."""
        found: dict[int, float] = {}
        for name in self.schema.kind(item.key.kind).categories:
            values = item.categories.get(name, ())
            for value in values[: self.schema.max_categories - len(found)]:
                bucket = category_bucket(name, value, self.schema.buckets)
                found[bucket] = found.get(bucket, 0.0) + 1 / math.sqrt(len(values))
        return found

    def text(self, items: Sequence[Item]) -> Array:
        """Text vectors ``[n, d]``, unit length or zero: the mean of title and passages (`TEXT_RECIPE`)."""
        passages = [self.passages(item) for item in items]
        keys = [_text_key(one) for one in passages]
        found = self._remembered(keys)
        missing = {key: one for key, one in zip(keys, passages, strict=True) if key not in found}
        found |= self._encoded(missing)
        if not items:
            return np.zeros((0, self._encoder.dimension), np.float32)
        return np.stack([found[key] for key in keys])

    def _numbers(self, items: Sequence[Item]) -> tuple[Array, Array]:
        slots = {name: column for column, name in enumerate(self.schema.slots)}
        numbers = np.zeros((len(items), len(slots)), np.float32)
        known = np.zeros_like(numbers)
        for row, item in enumerate(items):
            kind = self.schema.kind(item.key.kind)
            common = self.schema.scalers.get(kind.name, {})
            own = self._tenant_scalers.get(item.key.tenant, {}).get(kind.name, {})
            for name in kind.numbers:
                scaler = own.get(name) or common.get(name)
                if scaler is not None and name in item.numbers:
                    numbers[row, slots[name]] = scaler.scale(item.numbers[name])
                    known[row, slots[name]] = 1
        return numbers, known

    def _encoded(self, passages: Mapping[bytes, tuple[str, ...]]) -> dict[bytes, Array]:
        flat = [text for one in passages.values() for text in one if text]
        vectors = self._encoder.encode(flat)
        found: dict[bytes, Array] = {}
        start = 0
        for key, one in passages.items():
            end = start + sum(1 for text in one if text)
            found[key] = unit(vectors[start:end].sum(axis=0))
            start = end
        with self._lock:
            self._vectors.update(found)
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        return found

    def _remembered(self, keys: Sequence[bytes]) -> dict[bytes, Array]:
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        return found


def category_bucket(name: str, value: str, buckets: int) -> int:
    """The bucket of a categorical value, 1 to `buckets` (`HASH_FUNCTION`)."""
    return zlib.crc32(f"{name}={value}".encode("utf-8", "surrogatepass")) % buckets + 1


def text_only(text: Array, slots: int) -> ItemFeatures:
    """Features of n texts without attributes: how a query enters the item tower.

    Args:
        text: ``[n, d]`` text vectors.
        slots: columns of the number arrays.
    """
    rows = len(text)
    empty = np.zeros((rows, slots), np.float32)
    return ItemFeatures(text, np.zeros((rows, 1), np.int64), np.zeros((rows, 1), np.float32), empty, empty)


def _text_key(passages: Sequence[str]) -> bytes:
    return hashlib.sha256("\0".join(passages).encode("utf-8", "surrogatepass")).digest()
