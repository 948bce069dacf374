"""Reading one field in one role, so that a document with several faults tells them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.catalogue import Kind
from domain.errors import InvalidItem

# Stands for the id where another field is probed; no field of a host has an empty name.
_NO_FIELD = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One field in one role."""

    #: Key of the kind's table in the configuration: ``text``, ``filter``.
    role: str
    field: str
    #: Reads this field in this role and nothing else.
    kind: Kind

    def fault(self, document: Mapping[str, Any]) -> InvalidItem | None:
        """Why the document's field cannot be read in this role, None when it can."""
        read = {_NO_FIELD: "probe", self.field: document.get(self.field)}
        try:
            self.kind.item(
                read, tenant="" if self.role == "tenant" else "probe", revision=None if self.role == "revision" else 0
            )
        except InvalidItem as error:
            return error
        return None


def probes(kind: Kind) -> list[Probe]:
    """One probe for every role of every field that the kind names."""

    def only(**roles: Any) -> Kind:
        return Kind(kind.name, **{"id": _NO_FIELD, "text": {}, **roles})

    single = [(role, getattr(kind, role)) for role in ("id", "revision", "tenant", "audience")]
    listed = [(role, name) for role in ("category", "number", "signal") for name in getattr(kind, role)]
    return [
        *(Probe(role, name, only(**{role: name})) for role, name in single if name),
        *(Probe("text", name, only(text={name: weight})) for name, weight in kind.text.items()),
        *(Probe(role, name, only(**{role: (name,)})) for role, name in listed),
        *(Probe("filter", name, only(filter={name: known})) for name, known in kind.filter.items()),
    ]
