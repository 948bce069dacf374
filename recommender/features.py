"""Features: items as arrays, by the one path that training and serving share."""

from __future__ import annotations

import hashlib
import math
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
#: Categorical values whose bucket is remembered; most items share theirs with others.
BUCKETS_KEPT: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the networks read of one item."""

    #: Title and passages.
    passages: tuple[str, ...]
    #: Weights by bucket.
    categories: dict[int, float]
    #: Scaled numbers by slot, 0 where there is none.
    numbers: tuple[float, ...]
    #: 1 by slot where there is a number.
    known: tuple[float, ...]


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
        #: Of the items built last, by identity: whoever embeds a batch asks for its hashes next.
        self._readings: dict[int, tuple[Item, _Reading]] = {}
        self._lock = threading.Lock()

    def build(self, items: Sequence[Item]) -> ItemFeatures:
        """What the item tower reads of these items."""
        readings = [self._read(item) for item in items]
        self._readings = {id(item): (item, one) for item, one in zip(items, readings, strict=True)}
        width = max([1, *(len(one.categories) for one in readings)])
        ids = np.zeros((len(items), width), np.int64)
        weights = np.zeros((len(items), width), np.float32)
        for row, one in enumerate(readings):
            ids[row, : len(one.categories)] = list(one.categories)
            weights[row, : len(one.categories)] = list(one.categories.values())
        shape = (len(items), len(self.schema.slots))
        numbers = np.array([one.numbers for one in readings], np.float32).reshape(shape)
        known = np.array([one.known for one in readings], np.float32).reshape(shape)
        return ItemFeatures(self._text([one.passages for one in readings]), ids, weights, numbers, known)

    def inputs_hash(self, item: Item) -> str:
        """32 hexadecimal digits over exactly what `build` reads of the item."""
        read = self._read(item)
        parts = (repr(read.passages), repr(list(read.categories.items())))
        digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass"))
        digest.update(struct.pack(f"<{2 * len(read.numbers)}f", *read.numbers, *read.known))
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
        return self._text([self.passages(item) for item in items])

    def _text(self, passages: Sequence[tuple[str, ...]]) -> Array:
        keys = [_text_key(one) for one in passages]
        found = self._remembered(keys)
        missing = {key: one for key, one in zip(keys, passages, strict=True) if key not in found}
        found |= self._encoded(missing)
        if not passages:
            return np.zeros((0, self._encoder.dimension), np.float32)
        return np.stack([found[key] for key in keys])

    def _read(self, item: Item) -> _Reading:
        there = self._readings.get(id(item))
        if there is not None:
            return there[1]
        return _Reading(self.passages(item), self.categories(item), *self._numbers(item))

    def _numbers(self, item: Item) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scaled numbers by slot, and whether they are known."""
        kind = self.schema.kind(item.key.kind)
        common = self.schema.scalers.get(kind.name, {})
        own = self._tenant_scalers.get(item.key.tenant, {}).get(kind.name, {})
        scaled: dict[str, float] = {}
        for name in kind.numbers:
            scaler = own.get(name) or common.get(name)
            if scaler is not None and name in item.numbers:
                scaled[name] = scaler.scale(item.numbers[name])
        slots = self.schema.slots
        return tuple(scaled.get(name, 0.0) for name in slots), tuple(float(name in scaled) for name in slots)

    def _encoded(self, passages: Mapping[bytes, tuple[str, ...]]) -> dict[bytes, Array]:
        flat = [text for one in passages.values() for text in one if text]
        vectors = self._encoder.encode(flat)
        sums = np.zeros((len(passages), self._encoder.dimension), np.float32)
        start = 0
        for row, one in enumerate(passages.values()):
            end = start + sum(1 for text in one if text)
            vectors[start:end].sum(axis=0, out=sums[row])
            start = end
        found = dict(zip(passages, unit(sums), strict=True))
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


@lru_cache(maxsize=BUCKETS_KEPT)
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
