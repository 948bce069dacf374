"""What a sample of documents shows about each of their fields."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.catalogue import FilterType, as_milliseconds, as_number, filter_value
from domain.errors import InvalidItem

_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
_LINK = re.compile(r"(https?:)?//\S+|data:\S+|www\.\S+")
_CONTACT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_YES_NO = {"true", "false", "yes", "no"}
# A list of this many numbers is an embedding, not a list of sizes.
_VECTOR_LENGTH = 16
# In fewer documents, 0 and 1 may be all that was seen of a count.
_ENOUGH = 20
_EXAMPLES = 3
# A field is nearly a number when at least this share of its values is, and at most so many different words are not.
_MOSTLY = 0.7
_STRAYS = 3
_EXAMPLE_LENGTH = 40


class Shape(StrEnum):
    """What the values of a field are."""

    EMPTY = "empty"
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    LINK = "link"
    CONTACT = "contact"
    #: A long list of numbers.
    VECTOR = "vector"
    #: Nested, binary or mixed.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field of the sample; a list counts as its single values."""

    name: str
    shape: Shape
    #: How many documents the sample has.
    documents: int
    #: How many of them have a value.
    filled: int
    #: How many different single values there are.
    distinct: int
    #: Share of the single values that stand in more than one document.
    shared: float
    #: Whether some document has a list.
    lists: bool
    #: Characters and words of a document's value, on average.
    length: float
    words: float
    #: Bounds of a number, else 0.
    low: float = 0.0
    high: float = 0.0
    #: The smallest number above 0.
    lowest_above: float = 0.0
    #: Whether every number is whole.
    whole: bool = False
    examples: tuple[str, ...] = ()
    #: The few words that stand between numbers, such as n/a; empty when the values are no numbers anyway.
    strays: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether every document has the same value."""
        return self.distinct == 1 and self.filled == self.documents > 1


def field_facts(documents: Sequence[Mapping[str, Any]], types: Mapping[str, str] | None = None) -> list[FieldFacts]:
    """The facts of every field, in the order in which the fields appear.

    Args:
        documents: the sample.
        types: what an existing index says about a field (``keyword``, ``date``, ``knn_vector``).
    """
    known = types or {}
    names = dict.fromkeys([*(name for document in documents for name in document), *known])
    return [_facts(name, [one.get(name) for one in documents], known.get(name, "")) for name in names]


def _facts(name: str, column: Sequence[Any], told: str) -> FieldFacts:
    present = [value for value in column if not _blank(value)]
    singles = [single for value in present for single in _singles(value)]
    counts = Counter(_word(single) for single in singles)
    lists = any(isinstance(value, list | tuple) for value in present)
    shape = _shape(present, singles, told, enough=len(column) >= _ENOUGH)
    texts = [" ".join(map(str, _singles(value))) for value in present]
    numbers = [float(single) for single in singles] if shape is Shape.NUMBER else []
    return FieldFacts(
        name=name,
        shape=shape,
        documents=len(column),
        filled=len(present),
        distinct=len(counts),
        shared=sum(count for count in counts.values() if count > 1) / max(len(singles), 1),
        lists=lists,
        length=sum(map(len, texts)) / max(len(texts), 1),
        words=sum(len(text.split()) for text in texts) / max(len(texts), 1),
        low=min(numbers, default=0.0),
        high=max(numbers, default=0.0),
        lowest_above=min((number for number in numbers if number > 0), default=0.0),
        whole=bool(numbers) and all(number.is_integer() for number in numbers),
        examples=tuple(_example(value) for value, _ in counts.most_common(_EXAMPLES)),
        strays=_strays(singles) if shape is Shape.TEXT and not lists else (),
    )


def _strays(singles: Sequence[Any]) -> tuple[str, ...]:
    others = [str(single) for single in singles if not _is_number(single)]
    words = dict.fromkeys(map(_example, others))
    mostly = len(others) <= (1 - _MOSTLY) * len(singles)
    # 316i is the name of a car and no broken number.
    return tuple(words) if mostly and len(words) <= _STRAYS and not re.search(r"\d", "".join(words)) else ()


def _word(single: Any) -> str:
    return str(single).lower() if isinstance(single, bool) else str(single)


def _blank(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or value in ([], ()) or (isinstance(value, str) and not value.strip())


def _singles(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [single for single in value if not _blank(single)]
    return [value]


def _shape(present: Sequence[Any], singles: Sequence[Any], told: str, *, enough: bool) -> Shape:
    vector = len(singles) >= _VECTOR_LENGTH * len(present)
    tests: list[tuple[Shape, Callable[[Any], bool]]] = [
        (Shape.EMPTY, lambda _: False),  # holds for no value at all
        (Shape.VECTOR, lambda _: told in ("knn_vector", "dense_vector", "rank_features")),
        (Shape.BOOLEAN, _is_boolean),
        (Shape.BOOLEAN, lambda value: told == "boolean" and _is_truth(value)),
        (Shape.DATE, lambda value: told == "date" and _is_moment(value)),
        (Shape.VECTOR, lambda value: vector and _is_number(value)),
        (Shape.NUMBER, _is_number),
        (Shape.DATE, _is_date),
        (Shape.LINK, lambda value: _is_like(_LINK, value)),
        (Shape.CONTACT, lambda value: _is_like(_CONTACT, value)),
        (Shape.TEXT, lambda value: isinstance(value, str | int | float | date | UUID) and not isinstance(value, bool)),
    ]
    shape = next((shape for shape, holds in tests if all(map(holds, singles))), Shape.OTHER)
    flags = shape is Shape.NUMBER and enough and {float(single) for single in singles} == {0.0, 1.0}
    return Shape.BOOLEAN if flags else shape


def _is_like(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value.strip()))


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in _YES_NO)


def _is_truth(value: Any) -> bool:
    return _reads(lambda: filter_value(value, "", FilterType.BOOLEAN))


def _is_number(value: Any) -> bool:
    if isinstance(value, str) and not (_NUMBER.fullmatch(value.strip()) and value.strip()[-1:].isdigit()):
        return False  # 00123 is a code
    return not isinstance(value, bool) and _reads(lambda: as_number(value, ""))


def _is_date(value: Any) -> bool:
    written = isinstance(value, str) and bool(_DATE.fullmatch(value.strip()))
    return (written or isinstance(value, date)) and _is_moment(value)


def _is_moment(value: Any) -> bool:
    return _reads(lambda: as_milliseconds(value, ""))


def _reads(read: Callable[[], object]) -> bool:
    try:
        read()
    except InvalidItem:
        return False
    return True


def _example(value: str) -> str:
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in value[: 4 * _EXAMPLE_LENGTH]).split())
    return plain if len(plain) <= _EXAMPLE_LENGTH else f"{plain[:_EXAMPLE_LENGTH].rstrip()}..."
