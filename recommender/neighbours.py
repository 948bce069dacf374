"""Neighbours: which items go with which, counted from what people did; data beside the networks, not a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.vectors import Array

#: Neighbours kept of each item, by weight and by likeness.
KEPT: Final = 100
#: Up to so many items the weights are EASE's, above them ItemKNN's.
EASE_ITEMS: Final = 10_000
#: And up to so many people times items, which it holds at once: 2 GB.
MOST_CELLS: Final = 500_000_000
#: Added to EASE's diagonal for each thousand people (tuned in evaluation), and to ItemKNN's denominator.
EASE_RIDGE: Final = 20.0
SHRINK: Final = 10.0

#: Columns of `Neighbours.signals`, in order; `sum` and `most` have either sign under EASE.
SIGNALS: Final = (
    "neighbours.sum",
    "neighbours.most",
    "neighbours.known",
    "neighbours.likeness",
    "neighbours.most_alike",
    "neighbours.popularity",
    "neighbours.history",
)

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Who had to do with what, each pair once."""

    #: ``[pairs]`` rows of people, 0 to `people` - 1.
    person: Whole
    #: ``[pairs]`` rows of items, 0 to `items` - 1.
    item: Whole
    people: int
    items: int

    @classmethod
    def of(cls, people: Sequence[Sequence[int]], items: int) -> Interactions:
        """The pairs of each person's item rows; repetitions count once."""
        sets = [sorted(set(one)) for one in people]
        person = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
        flat = np.fromiter((row for one in sets for row in one), np.int64, len(person))
        return cls(person, flat, len(sets), items)

    def only(self, chosen: NDArray[np.bool_]) -> Interactions:
        """The pairs of the chosen people ``[people]``; the others become people without any."""
        kept = chosen[self.person]
        return Interactions(self.person[kept], self.item[kept], self.people, self.items)

    def counts(self) -> Whole:
        """``[items]`` how many people each item has."""
        return np.bincount(self.item, minlength=self.items)

    def dense(self) -> Array:
        """``[people with a pair, items]`` ones and zeros."""
        rows, people = np.unique(self.person, return_inverse=True)
        matrix = np.zeros((len(rows), self.items), np.float32)
        matrix[people, self.item] = 1
        return matrix


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The neighbours of the items of one tenant and kind: for each item, what its owners may want too."""

    #: ``[items]`` the host's ids.
    ids: tuple[str, ...]
    #: ``[items + 1]`` where each item's neighbours begin in `others`.
    starts: Whole
    #: ``[edges]`` rows of neighbours.
    others: NDArray[np.int32]
    #: ``[edges]`` EASE's signed weights, or ItemKNN's cosines where there are too many items for EASE.
    weights: Array
    #: ``[edges]`` shrunk cosines of the same pairs, 0 to 1.
    likeness: Array
    #: ``[items]`` people who had to do with the item, as a share of all.
    popularity: Array

    @cached_property
    def row(self) -> Mapping[str, int]:
        """The row of each id."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    def signals(self, history: Sequence[str], candidates: Sequence[str]) -> Array:
        """What the scorer reads of n candidates ``[n, 7]``, columns as `SIGNALS`.

        Sum and greatest of the history's weights towards the candidate, whether there is any; sum of the likeness by
        the root of the history's length, and the greatest; log(1 + 1000 x popularity); log(1 + known items of the
        history).
        All are 0 for an item without neighbours, and all but the popularity without history.
        """
        found = np.zeros((len(candidates), len(SIGNALS)), np.float32)
        rows = np.array([self.row.get(id_, -1) for id_ in candidates], np.int64)
        past = [self.row[id_] for id_ in dict.fromkeys(history) if id_ in self.row]
        chosen, back = np.unique(rows, return_inverse=True)
        found[:, :-1] = self._columns(past, chosen)[back]
        found[rows < 0] = 0
        found[:, -1] = np.log1p(len(past))
        return found

    def columns(self, past: Sequence[int]) -> Array:
        """As `signals`, for all items and a history of rows: ``[items, 7]``."""
        context = np.full((len(self.ids), 1), np.log1p(len(past)), np.float32)
        return np.concatenate([self._columns(past, np.arange(len(self.ids))), context], axis=1)

    def related(self, history: Sequence[str], limit: int) -> list[str]:
        """The items that go with a history of ids, greatest sum of weights first, the history left out; ties by row."""
        past = [self.row[id_] for id_ in dict.fromkeys(history) if id_ in self.row]
        sums = self._columns(past, np.arange(len(self.ids)))[:, 0]
        sums[past] = 0
        best = np.argsort(-sums, kind="stable")[:limit]
        return [self.ids[row] for row in best.tolist() if sums[row] > 0]

    def popular(self, limit: int) -> list[str]:
        """The items that most people had to do with; ties by row."""
        best = np.argsort(-self.popularity, kind="stable")[:limit]
        return [self.ids[row] for row in best.tolist() if self.popularity[row] > 0]

    def _columns(self, past: Sequence[int], chosen: Whole) -> Array:
        """All but the last, for these rows (rising, each once); -1 is nobody's."""
        spans = [np.arange(self.starts[row], self.starts[row + 1]) for row in past]
        edges = np.concatenate([np.zeros(0, np.int64), *spans])
        places = np.searchsorted(chosen, self.others[edges])
        there = np.append(chosen, -1)[places] == self.others[edges]
        others, edges = places[there], edges[there]
        weights, alike = self.weights[edges], self.likeness[edges]
        items = len(chosen)
        found = np.zeros((items, len(SIGNALS) - 1), np.float32)
        found[:, 0] = np.bincount(others, weights, items)
        most = np.full(items, -np.inf, np.float32)
        np.maximum.at(most, others, weights)
        known = np.isfinite(most)
        found[known, 1] = most[known]
        found[:, 2] = known
        found[:, 3] = np.bincount(others, alike, items) / np.sqrt(max(len(past), 1))
        np.maximum.at(found[:, 4], others, alike)
        found[:, 5] = np.log1p(1_000 * self.popularity[chosen])
        return found


def find_neighbours(
    ids: Sequence[str],
    pairs: Interactions,
    *,
    ridge: float = EASE_RIDGE,
    shrink: float = SHRINK,
    kept: int = KEPT,
    ease_items: int = EASE_ITEMS,
) -> Neighbours:
    """The strongest neighbours of every item.

    EASE (Steck, WWW 2019, arXiv 1905.03375) for few items, else ItemKNN with shrinkage (Koren, KDD 2008).

    Args:
        ids: ``[items]`` the host's ids.
        pairs: what people did.
        ridge: EASE's regularisation for each thousand people.
        shrink: ItemKNN's.
        kept: neighbours of each item, the greatest weights of either sign and the greatest likenesses.
        ease_items: up to so many items are few, unless people times items are more than `MOST_CELLS`.
    """
    few = len(ids) <= ease_items and pairs.people * pairs.items <= MOST_CELLS
    rows = _dense_rows(pairs, ridge, shrink, kept) if few else _sparse_rows(pairs, shrink, kept)
    others = [one[0] for one in rows]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in others])]).astype(np.int64)
    together = [np.concatenate([np.zeros(0, np.float32), *(row[place] for row in rows)]) for place in (1, 2)]
    return Neighbours(
        tuple(ids),
        starts,
        np.concatenate([np.zeros(0, np.int32), *others]).astype(np.int32),
        together[0].astype(np.float32),
        together[1].astype(np.float32),
        (pairs.counts() / max(len(np.unique(pairs.person)), 1)).astype(np.float32),
    )


def ease(matrix: Array, ridge: float) -> Array:
    """EASE's item-item weights ``[items, items]``, diagonal 0: the closed form of a linear autoencoder.

    Args:
        matrix: ``[people, items]`` of ones and zeros.
        ridge: added to the diagonal of the Gram matrix, above 0.
    """
    people, items = matrix.shape
    if people < items:
        # (X'X + rI)^-1 = (I - X'(rI + XX')^-1 X) / r (Woodbury): the smaller inverse.
        inner = np.linalg.inv((matrix @ matrix.T).astype(np.float64) + ridge * np.eye(people))
        precision = -(matrix.T @ (inner.astype(np.float32) @ matrix)) / np.float32(ridge)
        precision[np.diag_indices(items)] += np.float32(1 / ridge)
    else:
        gram = (matrix.T @ matrix).astype(np.float64)
        gram[np.diag_indices(items)] += ridge
        precision = np.linalg.inv(gram).astype(np.float32)
    weights = precision / -np.diag(precision)
    weights[np.diag_indices(items)] = 0
    return np.asarray(weights, np.float32)


def item_knn(matrix: Array, shrink: float) -> Array:
    """Cosines of the columns ``[items, items]``, diagonal 0, pulled to 0 where few people stand behind them."""
    gram = matrix.T @ matrix
    root = np.sqrt(np.diag(gram))
    cosines = gram / np.maximum(np.outer(root, root) + np.float32(shrink), 1e-9)
    cosines[np.diag_indices(len(gram))] = 0
    return np.asarray(cosines, np.float32)


def cross_fitted(
    ids: Sequence[str], pairs: Interactions, fold_of: Sequence[int], **settings: Any
) -> dict[int, Neighbours]:
    """Neighbours for each fold of people, counted from everybody outside it: nobody's own events speak for them.

    Args:
        ids: as `find_neighbours`.
        pairs: as `find_neighbours`.
        fold_of: ``[people]``.
        **settings: as `find_neighbours`.
    """
    folds = np.asarray(fold_of)
    return {
        number: find_neighbours(ids, pairs.only(folds != number), **settings) for number in sorted(set(folds.tolist()))
    }


def _dense_rows(pairs: Interactions, ridge: float, shrink: float, kept: int) -> list[tuple[Any, Array, Array]]:
    matrix = pairs.dense()
    if not len(matrix):
        return [(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))] * pairs.items
    weights = ease(matrix, ridge * len(matrix) / 1_000)
    likeness = item_knn(matrix, shrink)
    rows = []
    for row, alike in zip(weights, likeness, strict=True):
        best = np.union1d(_strongest(np.abs(row), kept), _strongest(alike, kept))
        rows.append((best, row[best], alike[best]))
    return rows


def _sparse_rows(pairs: Interactions, shrink: float, kept: int) -> list[tuple[Any, Array, Array]]:
    """Item by item, so that memory stays with the pairs and not with the square of the items."""
    by_person = np.argsort(pairs.person, kind="stable")
    by_item = np.argsort(pairs.item, kind="stable")
    first = np.searchsorted(pairs.person[by_person], np.arange(pairs.people + 1))
    start = np.searchsorted(pairs.item[by_item], np.arange(pairs.items + 1))
    basket, owner = pairs.item[by_person], pairs.person[by_item]
    root = np.sqrt(pairs.counts())
    rows: list[tuple[Any, Array, Array]] = []
    for item in range(pairs.items):
        people = owner[start[item] : start[item + 1]]
        flat = np.concatenate([np.zeros(0, np.int64), *(basket[first[one] : first[one + 1]] for one in people)])
        others, together = np.unique(flat[flat != item], return_counts=True)
        cosines = (together / (root[item] * root[others] + shrink)).astype(np.float32)
        best = _strongest(cosines, kept)
        rows.append((others[best].astype(np.int32), cosines[best], cosines[best]))
    return rows


def _strongest(sizes: Array, kept: int) -> Whole:
    """The places of the greatest sizes above 0, greatest first, ties by place."""
    there = np.flatnonzero(sizes > 0)
    if len(there) > kept:
        last = np.partition(sizes[there], len(there) - kept)[len(there) - kept]
        there = there[sizes[there] >= last]
    return np.asarray(there[np.argsort(-sizes[there], kind="stable")][:kept], np.int64)
