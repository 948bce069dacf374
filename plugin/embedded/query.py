"""Search statements: from scope and query to SQL, pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidQuery
from domain.items import FilterValue
from domain.releases import Generation
from domain.search import Exists, Filter, Not, Query, Range, Scope, Term, Terms
from plugin.embedded.documents import comparable, field_numbers
from plugin.embedded.folding import folded

#: A run of letters and digits; what the index takes for a word.
_WORD: Final = re.compile(r"[^\W_]+")
_BOUNDS: Final = {"gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}

_AUDIENCE: Final = "f.field = 0 AND f.value IN (SELECT value FROM json_each(?))"
_PROBE: Final = "EXISTS (SELECT 1 FROM $filter AS f WHERE f.item = i.number AND VALUES)"
_NAMED: Final = "i.id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL condition with its values; `sql` may name the tables of `schema.Tables`."""

    sql: str
    values: tuple[FilterValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Postings:
    """The items that hold a value in the filter table, or all others."""

    #: On a row `f` of the filter table.
    holding: Condition
    #: Those that hold none are meant.
    negated: bool = False

    def condition(self) -> Condition:
        """The same, asked of one item `i`."""
        probe = _PROBE.replace("VALUES", self.holding.sql)
        return Condition(f"NOT {probe}" if self.negated else probe, self.holding.values)


def match_text(text: str) -> str:
    """The FTS5 expression that any word of the text fulfils; empty when it has no word."""
    # Composed, so that an accent of its own does not cut a word in two.
    words = _WORD.findall(folded(unicodedata.normalize("NFC", text)))
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(words))


def visible(scope: Scope) -> Condition:
    """The items `i` that the scope may see."""
    seen = audience(scope).condition()
    return Condition(
        f"i.tenant = ? AND i.state <> 'removed' AND (i.everyone OR {seen.sql})", (scope.tenant, *seen.values)
    )


def named(ids: Sequence[str]) -> Condition:
    """The items `i` of these ids."""
    return Condition(_NAMED, (json.dumps(ids),))


def audience(scope: Scope) -> Postings:
    """The items for one of the scope's groups; those for everyone may be among them."""
    return Postings(Condition(_AUDIENCE, (json.dumps(scope.groups()),)))


def wanted(query: Query, generation: Generation) -> list[Postings]:
    """What the items must pass, one for each filter.

    Raises:
        InvalidQuery: a filter names an unknown field, or cannot hold for the field's type.
    """
    return [_postings(one, generation) for one in query.filters]


def passing(scope: Scope, query: Query, filters: Sequence[Postings]) -> Condition:
    """The items `i` inside the scope that pass the filters and are not excluded."""
    conditions = [visible(scope), *(one.condition() for one in filters)]
    if query.exclude:
        excluded = named(query.exclude)
        conditions.append(Condition(f"NOT ({excluded.sql})", excluded.values))
    return every(conditions)


def every(conditions: Sequence[Condition]) -> Condition:
    """All of the conditions."""
    return Condition(
        " AND ".join(one.sql for one in conditions), tuple(value for one in conditions for value in one.values)
    )


def _postings(one: Filter, generation: Generation) -> Postings:
    if isinstance(one, Not):
        inner = _postings(one.filter, generation)
        return Postings(inner.holding, not inner.negated)
    kind = generation.filter_types.get(one.field)
    if kind is None:
        known = ", ".join(generation.filter_types) or "no filter field at all"
        fix = "Filter by a declared field, or declare it in sidetower.toml and prepare a new generation."
        raise InvalidQuery(f"filter {one.field}", expected=f"one of {known}", got=one.field, fix=fix)
    number = Condition("f.field = ?", (field_numbers(generation)[one.field],))
    return Postings(every([number, _holds(one, kind)]))


def _holds(one: Term | Terms | Range | Exists, kind: str) -> Condition:
    """What the filter asks of one value of its field."""
    if isinstance(one, Term):
        return Condition("f.value = ?", (_typed(one.value, one.field, kind),))
    if isinstance(one, Terms):
        values = [_typed(value, one.field, kind) for value in one.values]
        return Condition("f.value IN (SELECT value FROM json_each(?))", (json.dumps(values),))
    if isinstance(one, Range):
        return _within(one, kind)
    return Condition("true")


def _within(one: Range, kind: str) -> Condition:
    given = {sign: bound for name, sign in _BOUNDS.items() if (bound := getattr(one, name)) is not None}
    if not given or kind not in ("number", "date"):
        raise InvalidQuery(
            f"range of {one.field}",
            expected="at least one bound on a number or date field",
            got=f"{len(given)} bounds on a {kind} field",
            fix="Give a bound, or filter by value.",
        )
    values = tuple(_typed(bound, one.field, kind) for bound in given.values())
    return Condition(" AND ".join(f"f.value {sign} ?" for sign in given), values)


def _typed(value: FilterValue, name: str, kind: str) -> FilterValue:
    try:
        return comparable(value, kind)
    except (ValueError, OverflowError) as error:
        fix = "Send the value as that type."
        raise InvalidQuery(f"filter {name}", expected=f"a {kind}", got=repr(value)[:120], fix=fix) from error
