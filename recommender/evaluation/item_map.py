"""The item map: a sample of item vectors in two dimensions, named by the category that says most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.items import Item
from domain.vectors import Array

#: Items on the map; more would only hide each other.
SAMPLE: Final = 1_500
#: Values that have a colour of their own.
NAMED: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class ItemMap:
    """Points of a plane, and what each is."""

    #: ``[n, 2]`` the first two principal components.
    points: Array
    #: Title of each item.
    titles: Sequence[str]
    #: The category field that the names are of; empty where items have none.
    field: str
    #: Each item's value of that field, the commonest of its values; empty where it has none of `named`.
    values: Sequence[str]
    #: The commonest values, commonest first.
    named: Sequence[str]
    #: Share of the vectors' variance that the plane shows.
    shown: float


def map_items(items: Sequence[Item], vectors: Array, title: str, seed: int = 0) -> ItemMap:
    """A principal-component map (Pearson 1901) of a sample of items; the same items give the same map.

    Args:
        items: n, at least one.
        vectors: ``[n, 128]``.
        title: the text field that names an item.
        seed: of the sample.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(items))[:SAMPLE])
    chosen = [items[row] for row in rows]
    centred = (vectors[rows] - vectors[rows].mean(axis=0)).astype(np.float64)
    sizes, axes = np.linalg.eigh(centred.T @ centred)
    plane = axes[:, ::-1][:, :2]
    # An axis has no sign of its own: its greatest part is made positive.
    plane = plane * np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    field, named = _telling(chosen)
    return ItemMap(
        points=np.asarray(centred @ plane, np.float32),
        titles=[item.texts.get(title, item.key.id) for item in chosen],
        field=field,
        values=[_value(item, field, named) for item in chosen],
        named=named,
        shown=float(sizes[-2:].sum() / max(sizes.sum(), 1e-12)),
    )


def _telling(items: Sequence[Item]) -> tuple[str, list[str]]:
    """The field whose few commonest values tell most about the items, and these values.

    Told is the entropy (Shannon 1948) of a field's named value, over the items that have one: a value that all share
    says nothing, and neither do values of which each is on one item.
    """
    best: tuple[float, str, list[str]] = (0.0, "", [])
    for field in sorted({name for item in items for name in item.categories}):
        counts = Counter(value for item in items for value in set(item.categories.get(field, ())))
        named = [value for value, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:NAMED]]
        of_items = Counter(value for item in items if (value := _value(item, field, named)))
        sizes = np.array(list(of_items.values()))
        told = float((sizes * np.log(sizes.sum() / sizes)).sum())
        if told > best[0] + 1e-9:
            best = (told, field, named)
    return best[1], best[2]


def _value(item: Item, field: str, named: Sequence[str]) -> str:
    """The first of the named values that the item has."""
    return next((one for one in named if one in item.categories.get(field, ())), "")
