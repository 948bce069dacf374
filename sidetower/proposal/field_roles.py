"""Which roles a field of a sample should play, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.catalogue import FilterType
from sidetower.proposal.field_facts import FieldFacts, Shape
from sidetower.proposal.field_names import Meaning, is_availability, is_opinion, meaning_of

TITLE_WEIGHT: Final = 3.0
LABEL_WEIGHT: Final = 2.0
PLAIN_WEIGHT: Final = 1.0
#: A field groups items when at least this share of its values stands in several documents.
GROUPS: Final = 0.5

# Texts of this many words or characters are read, not counted.
_PROSE_WORDS = 8
_PROSE_LENGTH = 60
# Names that promise people or labels need less, since a sample shows each of them seldom.
_NAMED_GROUPS = 0.2
# Milliseconds since 1970 of a day in 1973; smaller numbers are no dates.
_MILLISECONDS = 1e11
# Numbers below are written without thousands marks: most of them are years.
_GROUPED = 10_000
# A lone 0 this far below all other values stands for "unknown".
_FAR_FROM_ZERO = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One role of one field."""

    #: Key of the kind's table in the configuration: ``text``, ``filter``.
    role: str
    field: str
    #: For the person who reads the proposal; empty where the role's value says it all.
    reason: str
    #: Weight of a text.
    weight: float = 0.0
    #: Type of a filter.
    type: FilterType = FilterType.KEYWORD


def field_roles(one: FieldFacts, told: str = "") -> list[Entry]:
    """The roles of a field that is no id, revision, tenant or audience; none when it should not be used.

    Args:
        one: what the sample shows.
        told: its type in an existing index, "" without one.
    """
    meaning = meaning_of(one.name)
    if one.shape is Shape.DATE:
        return [_filter(one, FilterType.DATE)]
    if one.shape is Shape.BOOLEAN:
        stable = not is_availability(one.name) and meaning is not Meaning.SIGNAL
        return [*([_category(one)] if stable else []), _filter(one, FilterType.BOOLEAN)]
    if meaning is Meaning.ID:
        return [_category(one), _filter(one, FilterType.KEYWORD)] if one.shared >= GROUPS else []
    if meaning is Meaning.CODE:
        return [_filter(one, FilterType.KEYWORD)]
    return _number_roles(one, meaning) if one.shape is Shape.NUMBER else _text_roles(one, meaning, told)


def is_prose(one: FieldFacts) -> bool:
    """Whether the values are read rather than counted."""
    return one.words >= _PROSE_WORDS or one.length >= _PROSE_LENGTH


def about_values(one: FieldFacts) -> str:
    """``77 values, e.g. "BMW", "Audi"``."""
    return f"{one.distinct:,} values{_gaps(one)}, {examples(one)}"


def examples(one: FieldFacts, count: int = 2) -> str:
    """``e.g. "BMW", "Audi"``."""
    shown = [value if one.shape in (Shape.NUMBER, Shape.BOOLEAN) else f'"{value}"' for value in one.examples[:count]]
    return f"e.g. {', '.join(shown)}"


def _number_roles(one: FieldFacts, meaning: Meaning) -> list[Entry]:
    if one.lists:
        return [_category(one), _filter(one, FilterType.NUMBER)]
    if meaning is Meaning.REVISION:
        return []
    if meaning is Meaning.MOMENT and one.low > _MILLISECONDS:
        return [_filter(one, FilterType.DATE)]
    bounds = f"{_plain(one.low)} to {_plain(one.high)}{_gaps(one)}"
    if one.low == 0 and one.lowest_above > _FAR_FROM_ZERO:
        bounds += "; CAUTION: 0 seems to mean unknown, leave such values out"
    if meaning is Meaning.SIGNAL:
        signal = Entry("signal", one.name, bounds)
        return [signal, *([_filter(one, FilterType.NUMBER)] if is_opinion(one.name) else [])]
    return [Entry("number", one.name, bounds), _filter(one, FilterType.NUMBER)]


def _text_roles(one: FieldFacts, meaning: Meaning, told: str) -> list[Entry]:
    about = f"{one.length:,.0f} characters on average{_gaps(one)}, {examples(one, 1)}"
    if meaning is Meaning.TITLE and not one.lists:
        return [Entry("text", one.name, f"named like a title; {about}", TITLE_WEIGHT)]
    if meaning is Meaning.HEADING:
        return [Entry("text", one.name, about, LABEL_WEIGHT)]
    named = meaning in (Meaning.LABEL, Meaning.CREDIT)
    groups = [_category(one), _filter(one, FilterType.KEYWORD)]
    if one.shared < (_NAMED_GROUPS if named else GROUPS):
        groups = []
    if named:
        weight = LABEL_WEIGHT if meaning is Meaning.LABEL else PLAIN_WEIGHT
        return [Entry("text", one.name, f"words that people type; {about}", weight), *groups]
    if groups and (one.lists or not is_prose(one)):
        return groups
    if is_prose(one) or meaning is Meaning.PROSE or (told != "keyword" and one.words > 1):
        return [Entry("text", one.name, about, PLAIN_WEIGHT)]
    return [_filter(one, FilterType.KEYWORD)]


def _category(one: FieldFacts) -> Entry:
    return Entry("category", one.name, about_values(one))


def _filter(one: FieldFacts, known: FilterType) -> Entry:
    return Entry("filter", one.name, "", type=known)


def _gaps(one: FieldFacts) -> str:
    return "" if one.filled == one.documents else f" in {100 * one.filled // one.documents}% of the documents"


def _plain(number: float) -> str:
    if not number.is_integer():
        return f"{number:,.4g}"
    return f"{number:.0f}" if abs(number) < _GROUPED else f"{number:,.0f}"
