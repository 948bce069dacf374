"""Search statements: text expressions, and conditions for every filter."""

from __future__ import annotations

import math

import pytest

from domain.errors import InvalidQuery
from domain.items import FilterValue
from domain.search import Exists, Filter, Not, Query, Range, Scope, Term, Terms
from plugin.embedded.query import match_text, passing, wanted
from tests import tiny_world as tiny


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("", ""),
        (" -!_ 🚗", ""),
        ("red", '"red"'),
        ("Red red cars", '"Red" OR "red" OR "cars"'),
        ("red  red", '"red"'),
        ('say "red" OR NOT', '"say" OR "red" OR "OR" OR "NOT"'),
        ("320d/v70_x", '"320d" OR "v70" OR "x"'),
        ("字字 Zürich", '"字字" OR "Zürich"'),
        ("Zu\u0308rich", '"Zürich"'),
        ("half \ud83d pair", '"half" OR "pair"'),
    ],
)
def test_a_text_becomes_any_of_its_words(text: str, expression: str) -> None:
    assert match_text(text) == expression


@pytest.mark.parametrize(
    ("one", "sql", "values", "negated"),
    [
        (Term("make", "x'--"), "f.field = ? AND f.value = ?", (1, "x'--"), False),
        (Term("price", 5), "f.field = ? AND f.value = ?", (3, 5.0), False),
        (Term("electric", True), "f.field = ? AND f.value = ?", (4, 1.0), False),
        (
            Terms("make", ("a", "ü")),
            "f.field = ? AND f.value IN (SELECT value FROM json_each(?))",
            (1, '["a", "\\u00fc"]'),
            False,
        ),
        (Range("listed", gte=1, lt=9), "f.field = ? AND f.value >= ? AND f.value < ?", (5, 1.0, 9.0), False),
        (Range("price", gt=0, lte=2.5), "f.field = ? AND f.value <= ? AND f.value > ?", (3, 2.5, 0.0), False),
        (Exists("colour"), "f.field = ? AND true", (2,), False),
        (Not(Exists("colour")), "f.field = ? AND true", (2,), True),
        (Not(Not(Exists("colour"))), "f.field = ? AND true", (2,), False),
    ],
)
def test_a_filter_becomes_postings(one: Filter, sql: str, values: tuple[FilterValue, ...], negated: bool) -> None:
    (found,) = wanted(Query(filters=(one,)), tiny.generation())
    assert (found.holding.sql, found.holding.values, found.negated) == (sql, values, negated)


def test_every_condition_stands_beside_the_walls() -> None:
    query = Query(filters=(Not(Term("make", "x")), Exists("price")), exclude=("a", "b"))
    found = passing(Scope("north", frozenset({"staff"})), query, wanted(query, tiny.generation()))
    assert found.sql == (
        "i.tenant = ? AND i.state <> 'removed' AND (i.everyone OR EXISTS (SELECT 1 FROM $filter AS f"
        " WHERE f.item = i.number AND f.field = 0 AND f.value IN (SELECT value FROM json_each(?))))"
        " AND NOT EXISTS (SELECT 1 FROM $filter AS f WHERE f.item = i.number AND f.field = ? AND f.value = ?)"
        " AND EXISTS (SELECT 1 FROM $filter AS f WHERE f.item = i.number AND f.field = ? AND true)"
        " AND NOT (i.id IN (SELECT value FROM json_each(?)))"
    )
    assert found.values == ("north", '["*", "staff"]', 1, "x", 3, '["a", "b"]')


@pytest.mark.parametrize(
    "wrong",
    [
        Term("make", 5),
        Term("make", True),
        Term("make", "half \ud83d"),
        Term("price", True),
        Term("price", math.nan),
        Term("price", 10**400),
        Term("electric", 1),
        Term("listed", "2026-01-31"),
        Terms("price", (5, "cheap")),
        Range("price", gte=math.inf),
        Range("electric", gte=0),
        Range("price"),
        Not(Range("make", lt=1)),
        Exists("title"),
    ],
)
def test_a_filter_that_cannot_hold_is_refused(wrong: Filter) -> None:
    with pytest.raises(InvalidQuery) as refused:
        wanted(Query(filters=(wrong,)), tiny.generation())
    field = wrong.filter.field if isinstance(wrong, Not) and not isinstance(wrong.filter, Not) else wrong.field  # type: ignore[union-attr]
    assert field in refused.value.place
