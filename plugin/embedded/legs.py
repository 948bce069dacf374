"""The legs of a search: by text, by vector, or by id; each inside the scope and the filters."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from domain.items import ItemKey
from domain.search import Query, Scope, fuse
from plugin.embedded.documents import to_vector
from plugin.embedded.generations import Place
from plugin.embedded.query import Postings, audience, match_text, named, passing, wanted
from plugin.embedded.vectors import Compared, Flags, Numbers

#: More than the float32 error of an inner product of unit vectors.
_PRODUCT_ERROR: Final = 1e-5

_BY_TEXT: Final = """
SELECT i.number, i.id, -bm25($text, $weights) AS score
FROM $text CROSS JOIN $item AS i ON i.number = $text.rowid
WHERE $text MATCH ? AND $condition ORDER BY score DESC, i.id LIMIT ?
"""
_BY_ID: Final = "SELECT i.number, i.id, 0.0 FROM $item AS i WHERE $condition ORDER BY i.id LIMIT ?"
_POSTINGS: Final = "SELECT group_concat(f.item) FROM $filter AS f WHERE $holding"
_EXCLUDED: Final = "SELECT i.number FROM $item AS i WHERE i.tenant = ? AND $named"
_VECTORS: Final = """
SELECT i.number, i.id, b.vector FROM $item AS i JOIN $body AS b ON b.number = i.number
WHERE i.number IN (SELECT value FROM json_each(?)) AND $condition
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An item that one leg found."""

    key: ItemKey
    #: Number of the item in the generation.
    number: int
    #: BM25, inner product, or 0.
    score: float


class Legs:
    """The ways of searching one generation, each inside the scope and the query's filters.

    Args:
        connection: inside `Database.reading`.
        place: the generation.
        scope: who is asking.
        query: what is asked.

    Raises:
        InvalidQuery: a filter names an unknown field or cannot hold for the field's type.
    """

    def __init__(self, connection: sqlite3.Connection, place: Place, scope: Scope, query: Query) -> None:
        self._connection = connection
        self._place = place
        self._scope = scope
        self._query = query
        self._filters = wanted(query, place.generation)
        self._condition = passing(scope, query, self._filters)

    def by_text(self, depth: int) -> list[Found]:
        """The items that hold any word of the text, by weighted BM25, ties by id."""
        words = match_text(self._query.text)
        if not words:
            return []
        text_weights = self._place.generation.text_weights.values()
        weights = ", ".join(repr(float(weight)) for weight in text_weights) or "1.0"
        return self._found(self._rows(_BY_TEXT, words, *self._condition.values, depth, weights=weights))

    def by_id(self) -> list[Found]:
        """Everything that passes the filters, by id."""
        return self._found(self._rows(_BY_ID, *self._condition.values, self._query.limit))

    def by_vector(self, compared: Compared, depth: int) -> list[Found]:
        """The nearest by exact inner product, ties by id."""
        kept = self._kept(compared)
        numbers, products = compared.numbers[kept], compared.products[kept]
        if numbers.size > depth:
            # Equal vectors may differ in the last digit here: keep all that might belong to the best.
            last = np.partition(products, numbers.size - depth)[numbers.size - depth]
            numbers = numbers[products >= last - _PRODUCT_ERROR]
        rows = self._rows(_VECTORS, json.dumps(numbers.tolist()), *self._condition.values)
        exact = compared.query.values.astype(np.float64)
        scored = [(number, name, float((to_vector(raw) * exact).sum())) for number, name, raw in rows]
        return self._found(sorted(scored, key=lambda row: (-row[2], row[1]))[:depth])

    def _kept(self, compared: Compared) -> Flags:
        """Which of the compared items are inside the audience and pass the filters."""
        kept = compared.everyone
        if self._scope.audiences:
            kept = kept | self._among(compared.numbers, audience(self._scope))
        for filter_ in self._filters:
            kept = kept & (self._among(compared.numbers, filter_) != filter_.negated)
        if self._query.exclude:
            kept = kept & ~np.isin(compared.numbers, self._excluded())
        return kept

    def _excluded(self) -> list[int]:
        excluded = named(self._query.exclude)
        sql = self._place.tables.sql(_EXCLUDED, named=excluded.sql)
        return [number for (number,) in self._connection.execute(sql, (self._scope.tenant, *excluded.values))]

    def _among(self, numbers: Numbers, postings: Postings) -> Flags:
        """Which of the numbers are among those that hold the value."""
        holding = postings.holding
        sql = self._place.tables.sql(_POSTINGS, holding=holding.sql)
        ((joined,),) = self._connection.execute(sql, holding.values).fetchall()
        # One text is three times as fast as a row for each number.
        return np.isin(numbers, np.fromstring(joined or "", dtype=np.int64, sep=","))

    def _rows(self, template: str, *values: object, **parts: str) -> list[tuple[Any, ...]]:
        sql = self._place.tables.sql(template, condition=self._condition.sql, **parts)
        return self._connection.execute(sql, values).fetchall()

    def _found(self, rows: Sequence[tuple[Any, ...]]) -> list[Found]:
        tenant, kind = self._scope.tenant, self._place.generation.kind
        return [Found(ItemKey(tenant, kind, name), number, score) for number, name, score in rows]


def best_of(legs: Sequence[Sequence[Found]], limit: int) -> list[Found]:
    """The best of one leg, or of several by reciprocal-rank fusion."""
    if len(legs) == 1:
        return list(legs[0][:limit])
    found = {one.key: one for leg in legs for one in leg}
    fused = fuse([[one.key for one in leg] for leg in legs], limit)
    return [replace(found[key], score=score) for key, score in fused]
