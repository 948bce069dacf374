"""Stored items as rows, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from domain.errors import InvalidItem
from domain.items import EVERYONE, FilterValue, Item, ItemKey, Removal
from domain.releases import Generation
from domain.search import Candidate
from domain.vectors import DIMENSIONS, Array
from domain.versions import Phase, StoredItem, VectorState
from plugin.embedded.folding import folded

#: What `stored_item` reads, in this order, of an item row `i` and its body row `b`.
COLUMNS: Final = (
    "i.tenant, i.id, i.revision, i.phase, i.state, i.written_at, i.space, i.inputs_hash, b.content, b.vector"
)
#: Added to the phase of what Sidetower repaired.
_REPAIRED: Final = 2
#: Field number of the audience in the filter table; `query` counts on it.
AUDIENCE_FIELD: Final = 0

#: Values of each type of filter field; a date is a number.
FILTER_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "keyword": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "date": (int, float),
}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What the tables take of one stored item."""

    stored: StoredItem
    #: The item's fields as JSON; None for a tombstone.
    content: bytes | None
    #: The vector's little-endian float32 bytes.
    vector: bytes | None
    #: One text for each text field of the generation.
    texts: tuple[str | None, ...]
    #: Field number and value, the audience included.
    filters: tuple[tuple[int, FilterValue], ...]
    everyone: bool


def to_rows(stored: StoredItem, generation: Generation) -> Rows:
    """The rows of a stored item.

    Raises:
        InvalidItem: the generation cannot hold it; says why.
    """
    if stored.key.kind != generation.kind:
        raise _refused(stored.key, f"kind {generation.kind}", stored.key.kind, "Write it to a generation of its kind.")
    if stored.vector is not None and stored.space != generation.space:
        fix = "Embed it with the generation's own bundle."
        raise _refused(stored.key, f"a vector of space {generation.space}", f"one of space {stored.space}", fix)
    item = stored.item
    if item is None:
        return Rows(stored, None, None, (), (), everyone=False)
    # First, because what is wrong here has a better name than JSON has for it.
    filters = tuple(dict.fromkeys(_filters(item, generation)))
    return Rows(
        stored=stored,
        content=_content(item),
        vector=_vector_bytes(stored),
        texts=_texts(item, generation),
        filters=filters,
        everyone=EVERYONE in item.audience,
    )


def stored_item(kind: str, row: tuple[Any, ...]) -> StoredItem:
    """The stored item of a row of `COLUMNS`."""
    tenant, item_id, revision, phase, state, written_at, space, inputs_hash, content, vector = row
    key = ItemKey(tenant, kind, item_id)
    return StoredItem(
        change=Removal(key, revision) if content is None else _item(key, revision, json.loads(content)),
        phase=Phase(phase % _REPAIRED),
        vector_state=VectorState(state),
        vector=None if vector is None else to_vector(vector),
        space=space,
        inputs_hash=inputs_hash,
        written_at=written_at,
        repaired=phase >= _REPAIRED,
    )


def phase_number(stored: StoredItem) -> int:
    """What the phase column holds: 0 or 1, and 2 more for what Sidetower repaired."""
    return stored.phase + _REPAIRED * stored.repaired


def candidate(
    stored: StoredItem, score: float = 0.0, text_rank: int | None = None, vector_rank: int | None = None
) -> Candidate:
    """The stored item as a candidate; not for tombstones."""
    if stored.item is None:
        raise ValueError(f"{stored.key} is a tombstone")
    return Candidate(stored.item, score, stored.version, stored.vector, stored.space, text_rank, vector_rank)


def to_vector(raw: bytes) -> Array:
    """The vector ``[128]`` of its bytes."""
    return np.frombuffer(raw, dtype="<f4").astype(np.float32)


def field_numbers(generation: Generation) -> dict[str, int]:
    """Number of each filter field in the filter table."""
    return {name: number for number, name in enumerate(generation.filter_types, start=AUDIENCE_FIELD + 1)}


def comparable(value: FilterValue, kind: str) -> FilterValue:
    """The value as the filter table compares it; a boolean is 0 or 1.

    Raises:
        ValueError: it is not of the field's type, or not finite.
    """
    fits = isinstance(value, FILTER_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} is not a {kind}")
    if not isinstance(value, str):
        return float(value)
    # Half a surrogate pair is an UnicodeEncodeError, which is a ValueError; SQLite stores UTF-8 only.
    value.encode()
    return value


def _content(item: Item) -> bytes:
    fields = [item.texts, item.categories, item.numbers, item.signals, item.filters, item.audience]
    fix = "Send complete characters and finite numbers."
    for name, number in (*item.numbers.items(), *item.signals.items()):
        if not math.isfinite(number):  # orjson would write null
            raise _refused(item.key, "fields that JSON can hold", f"{name} {number}", fix)
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise _refused(item.key, "fields that JSON can hold", str(error), fix) from error


def _item(key: ItemKey, revision: int, fields: list[Any]) -> Item:
    texts, categories, numbers, signals, filters, audience = fields
    return Item(
        key=key,
        revision=revision,
        texts=texts,
        categories={name: tuple(values) for name, values in categories.items()},
        numbers=numbers,
        signals=signals,
        filters={name: tuple(values) for name, values in filters.items()},
        audience=tuple(audience),
    )


def _vector_bytes(stored: StoredItem) -> bytes | None:
    if stored.vector is None:
        return None
    if stored.vector.shape != (DIMENSIONS,) or not np.isfinite(stored.vector).all():
        got = f"shape {stored.vector.shape}, {np.count_nonzero(~np.isfinite(stored.vector))} of them not finite"
        raise _refused(stored.key, f"a vector of {DIMENSIONS} finite numbers", got, "Embed it with the bundle's tower.")
    return np.ascontiguousarray(stored.vector, dtype="<f4").tobytes()


def _texts(item: Item, generation: Generation) -> tuple[str | None, ...]:
    for name in item.texts:
        if name not in generation.text_weights:
            raise _undeclared(item.key, "text", name, list(generation.text_weights))
    found = (item.texts.get(name) for name in generation.text_weights)
    return tuple(None if text is None else folded(text) for text in found)


def _filters(item: Item, generation: Generation) -> Iterator[tuple[int, FilterValue]]:
    for group in item.audience:
        yield AUDIENCE_FIELD, group
    numbers = field_numbers(generation)
    for name, values in item.filters.items():
        if name not in numbers:
            raise _undeclared(item.key, "filter", name, list(numbers))
        kind = generation.filter_types[name]
        for value in values:
            try:
                yield numbers[name], comparable(value, kind)
            except (ValueError, OverflowError) as error:
                fix = "Send it as the field's type."
                raise _refused(item.key, f"field {name} to be a {kind}", repr(value)[:120], fix) from error


def _undeclared(key: ItemKey, role: str, name: str, known: list[str]) -> InvalidItem:
    fix = "Declare the field in sidetower.toml and prepare a new generation."
    return _refused(key, f"one of the {role} fields {', '.join(known)}", name, fix)


def _refused(key: ItemKey, expected: str, got: str, fix: str) -> InvalidItem:
    return InvalidItem(str(key), expected=expected, got=got, fix=fix)
