"""Whether an item passes filters, for items that no search has filtered."""

from __future__ import annotations

from collections.abc import Sequence

from domain.items import Item
from domain.search import Exists, Filter, Not, Range, Term, Terms


def holds(filters: Sequence[Filter], item: Item) -> bool:
    """Whether every filter holds, as the engines take them: a list passes when one of its values does."""
    return all(_holds(one, item) for one in filters)


def _holds(one: Filter, item: Item) -> bool:
    if isinstance(one, Not):
        return not _holds(one.filter, item)
    values = item.filters.get(one.field, ())
    if isinstance(one, Exists):
        return bool(values)
    if isinstance(one, Term):
        return one.value in values
    if isinstance(one, Terms):
        return any(value in one.values for value in values)
    return any(_within(one, float(value)) for value in values)


def _within(one: Range, value: float) -> bool:
    return (
        (one.gte is None or value >= one.gte)
        and (one.gt is None or value > one.gt)
        and (one.lte is None or value <= one.lte)
        and (one.lt is None or value < one.lt)
    )
