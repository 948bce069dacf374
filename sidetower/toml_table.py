"""One table of a TOML file, read key by key; every problem is kept, so that all can be told at once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.catalogue import FilterType
from domain.errors import ConfigurationError

# What other tools call our filter types.
_FILTER_WORDS = {
    **dict.fromkeys(("text", "string", "str", "category", "term", "enum"), FilterType.KEYWORD),
    **dict.fromkeys(("int", "integer", "long", "float", "double", "numeric", "decimal"), FilterType.NUMBER),
    **dict.fromkeys(("bool", "flag"), FilterType.BOOLEAN),
    **dict.fromkeys(("datetime", "timestamp", "time"), FilterType.DATE),
}
# A field's name becomes part of a path and of a weighted field list in the engine: these signs mean something there.
_FIELD_SIGNS = '.*^"'
_FIELD_LENGTH = 128


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``Did you mean price?`` for the nearest known word, else empty."""
    folded = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f"Did you mean {folded[near[0]]}?" if near else ""


def field_name_fault(name: str) -> str:
    """Why this cannot be the name of a field, empty when it can."""
    if not name.strip():
        return "an empty name"
    if name != name.strip() or not name.isprintable():
        return f"{name!r}, with blanks around it or characters that cannot be printed"
    if any(sign in name for sign in _FIELD_SIGNS):
        return f"{name!r}, with one of {' '.join(_FIELD_SIGNS)}"
    return f"{len(name)} characters" if len(name) > _FIELD_LENGTH else ""


@dataclass
class TomlTable:
    """The values of one table; what is wrong goes to `problems` and reads as absent."""

    #: Where it stands, as a person would name it: ``sidetower.toml, [engine]``.
    place: str
    values: Mapping[str, Any]
    #: Shared by all tables of the file.
    problems: list[ConfigurationError] = field(default_factory=list)

    def tell(self, key: str, expected: str, got: str, fix: str) -> None:
        """Keep a problem with this key (a path inside the table)."""
        place = f"{self.place} {key}" if key else self.place
        self.problems.append(ConfigurationError(place, expected=expected, got=got, fix=fix))

    def only(self, known: Collection[str], because: Mapping[str, str] | None = None) -> None:
        """Tell every key that is not known; `because` gives some of them a fix of their own."""
        for key in self.values:
            if key not in known:
                fix = (because or {}).get(key) or did_you_mean(key, known) or "Remove it."
                self.tell("", f"one of {', '.join(known)}", f"an unknown key {key!r}", fix)

    def text(self, key: str, fix: str, default: str = "") -> str:
        """A text that is not empty, or the default."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.tell(key, "a text that is not empty", shown(value), fix)
            return default
        return value.strip()

    def field(self, key: str, fix: str) -> str:
        """The name of a field of the host, empty when it is not given."""
        name = self.text(key, fix)
        return name if not name or self._is_field(key, name) else ""

    def fields(self, key: str) -> tuple[str, ...]:
        """Names of fields of the host, each once."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            fix = f'Write {key} = ["{value}"].' if isinstance(value, str) else f'Write {key} = ["one", "two"].'
            self.tell(key, "a list of field names", shown(value), fix)
            return ()
        names = []
        for name in value:
            if not isinstance(name, str):
                self.tell(key, "a list of field names", f"{shown(name)} in it", "Put the name in quotation marks.")
            elif name in names:
                self.tell(key, "every field once", f"{name!r} twice", "Remove one of them.")
            elif self._is_field(key, name):
                names.append(name)
        return tuple(names)

    def weights(self, key: str) -> dict[str, float]:
        """Field names and their weights."""
        value = self.values.get(key)
        example = f"{key} = {{ title = 3.0, description = 1.0 }}"
        if isinstance(value, str | list):
            names = [value] if isinstance(value, str) else value
            example = f"{key} = {{ {', '.join(f'{name} = 1.0' for name in names if isinstance(name, str))} }}"
        if not isinstance(value, dict) or not value:
            self.tell(key, "a table of field names and weights", shown(value), f"Write {example}.")
            return {}
        found = {}
        for name, weight in value.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                self.tell(f"{key}.{name}", "a weight, a number above 0", shown(weight), f"Write {name} = 1.0.")
            elif not math.isfinite(weight) or weight <= 0:
                fix = "Write 1.0 for a plain field and more for a title, or remove the field."
                self.tell(f"{key}.{name}", "a weight above 0", shown(weight), fix)
            elif self._is_field(key, name):
                found[name] = float(weight)
        return found

    def filters(self, key: str) -> dict[str, FilterType]:
        """Field names and their filter types."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            fix = f'Write {key} = {{ price = "number", make = "keyword" }}.'
            self.tell(key, "a table of field names and types", shown(value), fix)
            return {}
        known = [one.value for one in FilterType]
        found = {}
        for name, word in value.items():
            if isinstance(word, str) and word in known:
                if self._is_field(key, name):
                    found[name] = FilterType(word)
                continue
            other = str(word).strip().lower()
            fix = (
                f"Did you mean {_FILTER_WORDS[other].value}?" if other in _FILTER_WORDS else did_you_mean(other, known)
            )
            fix = fix or f'Write {name} = "keyword" unless it is a number, a date or true and false.'
            self.tell(f"{key}.{name}", f"a filter type: {', '.join(known)}", shown(word), fix)
        return found

    def table(self, key: str) -> TomlTable:
        """The table under this key, empty when it is absent."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.tell(key, "a table", shown(value), f"Write [{key}] on a line of its own and its keys below.")
            value = {}
        return TomlTable(f"{self.place}, [{key}]", value, self.problems)

    def _is_field(self, key: str, name: str) -> bool:
        fault = field_name_fault(name)
        if fault:
            expected = f"a field name of at most {_FIELD_LENGTH} characters without {' '.join(_FIELD_SIGNS)}"
            self.tell(key, expected, fault, "Rename the field where the documents come from.")
        return not fault


def shown(value: Any) -> str:
    """A value of the file as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)[:120]
