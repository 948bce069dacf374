"""Documents of a generation's index: from a stored item and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.items import Item, ItemKey, Removal
from domain.search import Candidate
from domain.vectors import from_base64, to_base64
from domain.versions import Phase, StoredItem, VectorState

#: The engine's versions are 4 x revision + 0 to 3; from 2 on they are Sidetower's own repairs.
_STEPS: Final = 4
_REPAIRED: Final = 2


def document_id(tenant: str, item_id: str) -> str:
    """The engine's id: the tenant's length comes first, so that equal ids of two tenants never meet."""
    return f"{len(tenant)}:{tenant}{item_id}"


def to_document(stored: StoredItem) -> dict[str, Any]:
    """The document of a stored item; whether it is a repair is in its version alone."""
    document: dict[str, Any] = {
        "tenant": stored.key.tenant,
        "id": stored.key.id,
        "revision": stored.change.revision,
        "content_hash": stored.change.content_hash,
        "vector_state": stored.vector_state.value,
        "written_at": stored.written_at,
    }
    if stored.item is not None:
        document |= _fields(stored.item)
    if stored.vector is not None:
        document |= {
            "space": stored.space,
            "inputs_hash": stored.inputs_hash,
            "vector": stored.vector,
            "vector_b64": to_base64(stored.vector),
        }
    return document


def from_document(kind: str, document: Mapping[str, Any], version: int) -> StoredItem:
    """The stored item that `to_document` wrote, vectors bit for bit."""
    key = ItemKey(document["tenant"], kind, document["id"])
    state = VectorState(document["vector_state"])
    change = Removal(key, document["revision"]) if state is VectorState.REMOVED else _item(key, document)
    encoded = document.get("vector_b64")
    return StoredItem(
        change=change,
        phase=Phase.VECTOR if state is VectorState.READY else Phase.CONTENT,
        vector_state=state,
        vector=from_base64(encoded) if encoded else None,
        space=document.get("space", ""),
        inputs_hash=document.get("inputs_hash", ""),
        written_at=document["written_at"],
        repaired=version % _STEPS >= _REPAIRED,
    )


def to_candidate(kind: str, document: Mapping[str, Any], version: int, score: float = 0.0) -> Candidate | None:
    """The candidate that a document is; None for a tombstone."""
    stored = from_document(kind, document, version)
    if stored.item is None:
        return None
    return Candidate(stored.item, score, stored.version, stored.vector, stored.space)


def _fields(item: Item) -> dict[str, Any]:
    return {
        "audience": list(item.audience),
        "text": dict(item.texts),
        "filter": {name: list(values) for name, values in item.filters.items()},
        "category": {name: list(values) for name, values in item.categories.items()},
        "number": dict(item.numbers),
        "signal": dict(item.signals),
    }


def _item(key: ItemKey, document: Mapping[str, Any]) -> Item:
    return Item(
        key=key,
        revision=document["revision"],
        texts=document["text"],
        categories={name: tuple(values) for name, values in document["category"].items()},
        numbers=document["number"],
        signals=document["signal"],
        filters={name: tuple(values) for name, values in document["filter"].items()},
        audience=tuple(document["audience"]),
    )
