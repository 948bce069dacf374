"""The catalogue: which of the host's fields play which role, and how a document becomes an item."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain.errors import InvalidItem
from domain.items import EVERYONE, MAX_REVISION, Change, FilterValue, Item, ItemKey, Removal

#: Lucene refuses longer keyword terms, and the whole document with them.
MAX_KEYWORD_BYTES: Final = 32_766

# More digits than a 64-bit number has are no revision; int() would accept exotic digits and refuse 5,000 of them.
_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
# Milliseconds of any day after 3 January 1970; shorter runs of digits are more likely a year.
_MILLISECONDS = re.compile(r"-?[0-9]{9,15}(\.[0-9]+)?")


class FilterType(StrEnum):
    """How a filter field is compared."""

    KEYWORD = "keyword"
    NUMBER = "number"
    BOOLEAN = "boolean"
    #: ISO 8601 or milliseconds since 1970; kept as milliseconds.
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Kind:
    """The roles of the host's fields for one kind of item. A field may have several roles."""

    name: str
    #: Field that holds the id.
    id: str
    #: Searchable fields and their weights; the heaviest is the title.
    text: Mapping[str, float]
    #: Field that holds the revision (a growing whole number or a date); "" = the time of reading.
    revision: str = ""
    #: Field that holds the tenant; "" = told by the caller.
    tenant: str = ""
    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    signal: tuple[str, ...] = ()
    filter: Mapping[str, FilterType] = field(default_factory=dict)
    #: Field that lists the groups that may see the item; "" = everyone.
    audience: str = ""
    #: Field that marks what the host removed: true, or the date of removal; "" = nothing is marked.
    removed: str = ""

    @property
    def title(self) -> str:
        """The text field with the highest weight, the first of equals."""
        return max(self.text, key=lambda name: self.text[name])

    def fields(self) -> set[str]:
        """Every field of the host that is read."""
        named = {self.id, self.revision, self.tenant, self.audience, self.removed, *self.text, *self.filter}
        return (named | {*self.category, *self.number, *self.signal}) - {""}

    def change(self, document: Mapping[str, Any], *, tenant: str = "", revision: int | None = None) -> Change:
        """What the document tells: its item, or the removal of it where the host marks it as removed.

        Args:
            document: the host's fields.
            tenant: whose it is; needed when the kind names no tenant field.
            revision: overrides the document's own; needed when the kind names no revision field.

        Raises:
            InvalidItem: names the field, what was expected and what came.
        """
        if not (self.removed and as_mark(document.get(self.removed), self.removed)):
            return self.item(document, tenant=tenant, revision=revision)
        return Removal(self._key(document, tenant), self._revision(document) if revision is None else revision)

    def item(self, document: Mapping[str, Any], *, tenant: str = "", revision: int | None = None) -> Item:
        """The item that the document describes.

        Args:
            document: the host's fields; unknown ones are not read.
            tenant: whose it is; needed when the kind names no tenant field.
            revision: overrides the document's own; needed when the kind names no revision field.

        Raises:
            InvalidItem: names the field, what was expected and what came.
        """
        key = self._key(document, tenant)
        return Item(
            key=key,
            revision=self._revision(document) if revision is None else revision,
            texts={name: text for name in self.text if (text := as_text(document.get(name), name))},
            categories=_known(self.category, document, as_words),
            numbers=_known(self.number, document, as_number),
            signals=_known(self.signal, document, as_number),
            filters=_known(self.filter, document, lambda value, name: as_filter(value, name, self.filter[name])),
            audience=self._audience(document),
        )

    def _key(self, document: Mapping[str, Any], tenant: str) -> ItemKey:
        raw = document.get(self.id)
        if isinstance(raw, float) and raw.is_integer() and abs(raw) < 2**53:
            raw = int(raw)  # a column of whole numbers with gaps arrives as floats, exact up to here
        if not isinstance(raw, str | int) or isinstance(raw, bool) or raw == "":
            raise _wrong(self.id, "an id: text or a whole number", raw, "Give every item its own id.")
        if self.tenant:
            if isinstance(document.get(self.tenant), list | tuple):
                raise _wrong(self.tenant, "one tenant", document[self.tenant], "Send one item for each tenant.")
            told = as_text(document.get(self.tenant), self.tenant)
            if tenant and told and told != tenant:
                raise _wrong(self.tenant, f"the caller's tenant {tenant!r}", told, "Send it as that tenant.")
            tenant = told or tenant
        if not tenant:
            raise _wrong(self.tenant or "tenant", "a tenant", None, "Name the tenant.")
        return ItemKey(tenant, self.name, str(raw))

    def _revision(self, document: Mapping[str, Any]) -> int:
        place = self.revision or "revision"
        raw = document.get(self.revision) if self.revision else None
        if isinstance(raw, str) and _WHOLE_NUMBER.fullmatch(raw.strip()):
            raw = int(raw)
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, str | date):
            raw = round(as_milliseconds(raw, place))
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise _wrong(place, "a whole number or an ISO 8601 date", raw, "Send the item's revision.")
        if not 0 <= raw <= MAX_REVISION:
            fix = "Send a growing version number or a time in milliseconds."
            raise _wrong(place, f"a revision from 0 to {MAX_REVISION}", raw, fix)
        return raw

    def _audience(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        if not self.audience:
            return (EVERYONE,)
        groups = as_words(document.get(self.audience), self.audience)
        if not groups:
            fix = 'List the groups that may see it; ["*"] is everyone. Nothing is shown by default.'
            raise _wrong(self.audience, "at least one group", document.get(self.audience), fix)
        return groups


def as_text(value: Any, name: str) -> str:
    """One text; a list is joined, a missing value is empty."""
    if _missing(value):
        return ""
    if isinstance(value, list | tuple):
        parts = [part for part in value if not _missing(part)]
        if all(isinstance(part, str) for part in parts):
            return ", ".join(text for part in parts if (text := _plain(part, name)))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        return _plain(value, name)
    raise _wrong(name, "text, or a list of texts", value, "Send text, or give the field another role.")


def as_words(value: Any, name: str) -> tuple[str, ...]:
    """Categorical values, each once, in order."""
    values = value if isinstance(value, list | tuple) else [value]
    words = [_plain(one, name) for one in values if not _missing(one)]
    return tuple(dict.fromkeys(word for word in words if word))


def as_number(value: Any, name: str) -> float | None:
    """A finite number; digits in text count (CSV has nothing else); missing is None."""
    number = value
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            number = float("invalid" if "_" in value else value)
        except ValueError:
            raise _wrong(name, "a number", value, "Send a number without unit or thousands mark.") from None
    if _missing(number):
        return None
    if isinstance(number, bool) or not isinstance(number, int | float) or not _finite(number):
        raise _wrong(name, "a finite number", value, "Send a number, or leave the field out.")
    return float(number)


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def as_filter(value: Any, name: str, kind: FilterType) -> tuple[FilterValue, ...] | None:
    """The values to filter by, each once; None when there is none."""
    values = value if isinstance(value, list | tuple) else [value]
    found: list[FilterValue] = []
    for one in values:
        blank = _missing(one) or (isinstance(one, str) and not one.strip())
        if blank or (kind is FilterType.NUMBER and as_number(one, name) is None):
            continue
        found.append(filter_value(one, name, kind))
    return tuple(dict.fromkeys(found)) or None


def filter_value(value: Any, name: str, kind: FilterType) -> FilterValue:
    """One value as the filter field's type.

    Raises:
        InvalidItem: it is not of that type.
    """
    if kind is FilterType.KEYWORD:
        word = _plain(value, name)
        if len(word.encode()) > MAX_KEYWORD_BYTES:
            raise _wrong(name, f"at most {MAX_KEYWORD_BYTES} bytes to filter by", word, "Make it a text field.")
        return word
    if kind is FilterType.BOOLEAN:
        known = _TRUTH.get(_plain(value, name).lower())
        if known is None:
            raise _wrong(name, "true or false", value, "Send a boolean, or filter by keyword.")
        return known
    if kind is FilterType.DATE:
        return as_milliseconds(value, name)
    number = as_number(value, name)
    if number is None:
        raise _wrong(name, "a number", value, "Send a number.")
    return number


def as_mark(value: Any, name: str) -> bool:
    """Whether a mark says that something is so: true, or a date; nothing, false and 0 say that it is not.

    Raises:
        InvalidItem: anything else, so that no item is taken away, or kept, by a misread mark.
    """
    if _missing(value) or value == "":
        return False
    # As text: a small number is no date but a state that only the host knows.
    mark = _plain(value, name) if isinstance(value, bool | int | float | str) else value
    if isinstance(mark, str) and (known := _TRUTH.get(mark.lower())) is not None:
        return known
    try:
        as_milliseconds(mark, name)
    except InvalidItem:
        fix = "Send true or the date of the removal for what was removed, else nothing."
        raise _wrong(name, "true, false, a date or nothing", value, fix) from None
    return True


def as_milliseconds(value: Any, name: str) -> float:
    """Milliseconds since 1970 of an ISO 8601 date or a number; no time zone means UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool) and _finite(value):
        return float(value)
    if isinstance(value, str):
        if _MILLISECONDS.fullmatch(value.strip()):
            return float(value)
        try:
            value = datetime.fromisoformat(re.sub(r"Z$", "+00:00", value.strip()))
        except ValueError:
            raise _wrong(name, "an ISO 8601 date or milliseconds", value, "Write it as 2026-01-31T08:00:00Z.") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000
    raise _wrong(name, "an ISO 8601 date or milliseconds", value, "Write it as 2026-01-31T08:00:00Z.")


def _known(names: Any, document: Mapping[str, Any], read: Any) -> dict[str, Any]:
    found = {name: read(document.get(name), name) for name in names}
    return {name: value for name, value in found.items() if value not in (None, ())}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _plain(value: Any, name: str) -> str:
    """One value as text, without blanks around it."""
    if isinstance(value, str):
        if not value.isascii():
            _check_characters(value, name)
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float | date | time | Decimal | UUID):
        return str(value)
    raise _wrong(name, "a value or a flat list of values", value, "Flatten the field.")


def _check_characters(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _wrong(name, "text that UTF-8 can hold", text, "Repair the half surrogate pair.") from None


def _wrong(name: str, expected: str, got: Any, fix: str) -> InvalidItem:
    return InvalidItem(f"field {name}", expected=expected, got=repr(got)[:120], fix=fix)
