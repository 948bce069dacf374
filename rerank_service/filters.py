"""Filters as requests write them, checked against the kind's filter fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from reprlib import Repr
from typing import Any, Final

from domain.catalogue import FilterType, Kind, filter_value
from domain.errors import InvalidItem, InvalidQuery
from domain.items import FilterValue
from domain.search import Exists, Filter, Not, Range, Term, Terms

MAX_FILTERS: Final = 50
MAX_VALUES: Final = 1_000
MAX_DEPTH: Final = 5

_OPERATORS: Final = ("term", "terms", "range", "exists", "not")
# Quoted input can be nested deeper than `repr` may go.
_SHORT: Final = Repr()
_BOUNDS: Final = ("gte", "lte", "gt", "lt")
_ORDERED: Final = (FilterType.NUMBER, FilterType.DATE)


def parse_filters(raw: Sequence[Mapping[str, Any]], kind: Kind) -> tuple[Filter, ...]:
    """The filters, all of which must hold; dates become milliseconds.

    Args:
        raw: such as ``[{"term": {"make": "BMW"}}, {"range": {"price": {"lte": 9000}}}, {"exists": "price"},
            {"terms": {"fuel": ["diesel", "gas"]}}, {"not": {"term": {"sold": true}}}]``.
        kind: whose filter fields may be named.

    Raises:
        InvalidQuery: names the place, what is legal there and what came.
    """
    if len(raw) > MAX_FILTERS:
        raise _wrong("filters", f"at most {MAX_FILTERS} filters", f"{len(raw)}", "Join values of a field with terms.")
    return tuple(_filter(one, kind, f"filters[{index}]", depth=1) for index, one in enumerate(raw))


def _filter(raw: Any, kind: Kind, place: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise _wrong(place, f"not inside not at most {MAX_DEPTH - 1} times", "more", "Drop pairs of not.")
    operator, body = _only_entry(raw, place, "one of: " + ", ".join(_OPERATORS))
    inside = f"{place}.{operator}"
    match operator:
        case "not":
            return Not(_filter(body, kind, inside, depth + 1))
        case "exists":
            return Exists(_field(body, kind, inside))
        case "term":
            name, value = _only_field(body, kind, inside)
            return Term(name, _value(value, name, kind, f"{inside}.{name}"))
        case "terms":
            name, values = _only_field(body, kind, inside)
            return Terms(name, _values(values, name, kind, f"{inside}.{name}"))
        case "range":
            name, bounds = _only_field(body, kind, inside)
            return _range(bounds, name, kind, f"{inside}.{name}")
    raise _wrong(place, "one of: " + ", ".join(_OPERATORS), _short(operator), "Use one of these.")


def _range(bounds: Any, name: str, kind: Kind, place: str) -> Range:
    if kind.filter[name] not in _ORDERED:
        usable = sorted(field for field, type_ in kind.filter.items() if type_ in _ORDERED)
        legal = ", ".join(usable) or "none in this kind"
        raise _wrong(place, f"a number or date field: {legal}", f"a {kind.filter[name]} field", "Use term or terms.")
    if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= set(_BOUNDS):
        raise _wrong(place, "bounds out of: " + ", ".join(_BOUNDS), _short(bounds), 'Write {"gte": 1, "lt": 9}.')
    return Range(name, **{bound: _number(value, name, kind, f"{place}.{bound}") for bound, value in bounds.items()})


def _number(value: Any, name: str, kind: Kind, place: str) -> float:
    return float(_value(value, name, kind, place))


def _values(values: Any, name: str, kind: Kind, place: str) -> tuple[FilterValue, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        raise _wrong(place, f"a list of 1 to {MAX_VALUES} values", _short(values), "Use term for a single value.")
    return tuple(_value(one, name, kind, f"{place}[{index}]") for index, one in enumerate(values))


def _value(value: Any, name: str, kind: Kind, place: str) -> FilterValue:
    kept = kind.filter[name]
    if value is None or isinstance(value, Mapping | list):
        raise _wrong(place, f"a {kept} value", _short(value), "Use exists to ask for presence, terms for several.")
    try:
        return filter_value(value, name, kept)
    except InvalidItem as error:
        raise _wrong(place, error.expected, error.got, f"The field is a {kept} field: send such a value.") from error


def _only_field(raw: Any, kind: Kind, place: str) -> tuple[str, Any]:
    name, body = _only_entry(raw, place, "a filter field")
    return _field(name, kind, place), body


def _field(name: Any, kind: Kind, place: str) -> str:
    if not isinstance(name, str) or name not in kind.filter:
        legal = ", ".join(sorted(kind.filter)) or "none: the kind has no filter fields"
        raise _wrong(place, f"a filter field of {kind.name}: {legal}", _short(name), "Filter by one of these.")
    return name


def _only_entry(raw: Any, place: str, expected: str) -> tuple[str, Any]:
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise _wrong(place, f"an object with one entry, {expected}", _short(raw), "Give each filter its own object.")
    ((name, body),) = raw.items()
    return name, body


def _short(value: Any) -> str:
    return _SHORT.repr(value)[:120]


def _wrong(place: str, expected: str, got: str, fix: str) -> InvalidQuery:
    return InvalidQuery(place, expected=expected, got=got, fix=fix)
