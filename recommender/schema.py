"""The feature schema: which fields the networks read, and the one recipe for reading them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from domain.catalogue import Kind
from domain.errors import BundleRefused
from recommender.scalers import ScalerTable, table_document, table_from_document

#: Named in manifests and golden files, so that a caller in any language can compute the same buckets.
HASH_FUNCTION: Final = "crc32: bucket = crc32(utf8(field + '=' + value)) % buckets + 1; 0 is padding"
TEXT_RECIPE: Final = "unit(mean of the unit vectors of title and passages, empty ones left out)"


@dataclass(frozen=True, slots=True)
class KindSchema:
    """The fields of one kind that the networks read."""

    name: str
    #: Text fields, heaviest first; the first is the title.
    texts: tuple[str, ...]
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @classmethod
    def of(cls, kind: Kind) -> KindSchema:
        """The schema of a kind as the host describes it."""
        texts = sorted(kind.text, key=lambda name: -kind.text[name])
        return cls(kind.name, tuple(texts), tuple(sorted(kind.category)), tuple(sorted(kind.number)))


@dataclass(frozen=True)
class FeatureSchema:
    """How items of every kind become features."""

    #: By name.
    kinds: tuple[KindSchema, ...]
    #: Statistics over all tenants; a tenant's own, where there are any, live beside the schema.
    scalers: ScalerTable = field(default_factory=dict)
    #: Buckets for categories; bucket 0 is padding and comes on top.
    buckets: int = 8_192
    #: Greatest length of a passage, in words.
    passage_words: int = 150
    #: Passages of one item, the title not counted.
    max_passages: int = 8
    #: Categories of one item; what comes later is left out.
    max_categories: int = 64

    @classmethod
    def of(cls, kinds: Sequence[Kind], scalers: ScalerTable) -> FeatureSchema:
        """The schema of these kinds."""
        return cls(tuple(sorted((KindSchema.of(kind) for kind in kinds), key=lambda kind: kind.name)), scalers)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The columns of the number arrays: every number field once, by name; kinds share a name's column."""
        return tuple(sorted({name for kind in self.kinds for name in kind.numbers}))

    @cached_property
    def hash(self) -> str:
        """64 hexadecimal digits that differ when anything of the schema differs."""
        text = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def kind(self, name: str) -> KindSchema:
        """The schema of this kind.

        Raises:
            BundleRefused: the bundle was built without it.
        """
        for kind in self.kinds:
            if kind.name == name:
                return kind
        known = ", ".join(kind.name for kind in self.kinds)
        raise BundleRefused(
            f"kind {name}", expected=f"a kind that the bundle knows ({known})", got=name, fix="Build a new bundle."
        )

    def to_document(self) -> dict[str, Any]:
        """The schema as JSON."""
        return {
            "kinds": {
                kind.name: {
                    "texts": list(kind.texts),
                    "categories": list(kind.categories),
                    "numbers": list(kind.numbers),
                }
                for kind in self.kinds
            },
            "scalers": table_document(self.scalers),
            "hash_function": HASH_FUNCTION,
            "text_recipe": TEXT_RECIPE,
            "buckets": self.buckets,
            "passage_words": self.passage_words,
            "max_passages": self.max_passages,
            "max_categories": self.max_categories,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FeatureSchema:
        """The schema that `to_document` wrote.

        Raises:
            BundleRefused: it hashes or mixes texts in a way that this version does not know.
        """
        for place, known in (("hash_function", HASH_FUNCTION), ("text_recipe", TEXT_RECIPE)):
            if document[place] != known:
                raise BundleRefused(
                    f"schema, {place}", expected=known, got=str(document[place]), fix="Use the version that built it."
                )
        kinds = tuple(
            KindSchema(name, tuple(one["texts"]), tuple(one["categories"]), tuple(one["numbers"]))
            for name, one in sorted(document["kinds"].items())
        )
        sizes = {name: int(document[name]) for name in ("buckets", "passage_words", "max_passages", "max_categories")}
        return cls(kinds, table_from_document(document["scalers"]), **sizes)
