"""Items: what the host offers, and how an item changes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.errors import InvalidItem

#: What a filter can hold; dates are numbers (milliseconds since 1970).
FilterValue = str | float | bool

#: An audience that every person of the tenant belongs to.
EVERYONE: Final = "*"
#: Revisions stay below this, so that 4 x revision + phase fits a signed 64-bit version.
MAX_REVISION: Final = 2**61 - 1
MAX_TENANT_BYTES: Final = 64
MAX_ID_BYTES: Final = 400

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, order=True)
class ItemKey:
    """Names one item of one tenant; equal ids of two tenants never meet."""

    #: Whose item it is, at most 64 bytes.
    tenant: str
    #: What it is: ``listing``, ``article``; a lower-case word.
    kind: str
    #: The host's own id, at most 400 bytes.
    id: str

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise InvalidItem(
                "kind",
                expected="a lower-case word of at most 32 letters, digits and _",
                got=repr(self.kind),
                fix="Rename the kind in sidetower.toml.",
            )
        for name, value, limit in (("tenant", self.tenant, MAX_TENANT_BYTES), ("id", self.id, MAX_ID_BYTES)):
            if not value or len(value.encode("utf-8", "surrogatepass")) > limit or not value.isprintable():
                raise InvalidItem(
                    name,
                    expected=f"1 to {limit} bytes of printable text",
                    got=repr(value[:80]),
                    fix=f"Give the item a shorter, printable {name}.",
                )

    def __str__(self) -> str:
        return f"{self.tenant}/{self.kind}/{self.id}"


@dataclass(frozen=True, slots=True)
class Item:
    """One item at one revision, its fields sorted by the role that the kind gives them."""

    key: ItemKey
    #: Ever-growing number of the host: a version, a sequence or a time in milliseconds.
    revision: int
    #: Searchable texts by field name.
    texts: Mapping[str, str] = field(default_factory=dict)
    #: Categorical values by field name; read by the item tower.
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Numbers by field name; read by the item tower. A missing number is an absent key.
    numbers: Mapping[str, float] = field(default_factory=dict)
    #: Volatile numbers by field name (views, votes); read by the scorer only.
    signals: Mapping[str, float] = field(default_factory=dict)
    #: Values that searches can filter by, by field name.
    filters: Mapping[str, tuple[FilterValue, ...]] = field(default_factory=dict)
    #: Groups that may see the item; never empty.
    audience: tuple[str, ...] = (EVERYONE,)
    #: Kept by `content_hash`; an item never changes.
    _hash: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_revision(self.key, self.revision)
        if not self.audience:
            raise InvalidItem(
                f"{self.key}, audience",
                expected=f'at least one group, or ["{EVERYONE}"] for everyone',
                got="no group",
                fix="Name the groups that may see the item.",
            )

    @property
    def content_hash(self) -> str:
        """32 hexadecimal digits that differ when any field differs; the revision is left out."""
        if not self._hash:
            content = [self.texts, self.categories, self.numbers, self.signals, self.filters, self.audience]
            object.__setattr__(self, "_hash", _digest(content))
        return self._hash

    def fields(self) -> dict[str, object]:
        """The item's fields under the host's names, for people and answers."""
        merged: dict[str, object] = {}
        for role in (self.filters, self.signals, self.numbers, self.categories, self.texts):
            merged |= {name: _alone(value) for name, value in role.items()}
        return merged


@dataclass(frozen=True, slots=True)
class Removal:
    """An item that the host took away at this revision; kept as a tombstone."""

    key: ItemKey
    revision: int

    def __post_init__(self) -> None:
        check_revision(self.key, self.revision)

    @property
    def content_hash(self) -> str:
        """The same for every removal."""
        return _digest("removed")


#: What the host tells: an item, or that it is gone.
Change = Item | Removal


def check_revision(key: ItemKey, revision: int) -> None:
    """Refuse a revision that would not fit the version scheme.

    Raises:
        InvalidItem: not an integer of 0 to 2^61 - 1.
    """
    if isinstance(revision, bool) or not isinstance(revision, int) or not 0 <= revision <= MAX_REVISION:
        raise InvalidItem(
            f"{key}, revision",
            expected=f"a whole number from 0 to {MAX_REVISION}",
            got=repr(revision),
            fix="Send a growing version number or a time in milliseconds.",
        )


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _alone(value: object) -> object:
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value
