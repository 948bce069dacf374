"""Carry-over: a vector whose inputs did not change is kept, so five edits of a price embed nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from domain.items import Change, Item, ItemKey
from domain.ports import ItemEmbedder
from domain.versions import StoredItem, VectorState, pending, ready

Changed = TypeVar("Changed", bound=Change)


def carried(change: Change, stored: StoredItem | None, embedder: ItemEmbedder | None, now: float) -> StoredItem:
    """What to store for a change: ready at once where the stored vector still fits, else pending.

    Args:
        change: the item or its removal.
        stored: what this generation holds of it.
        embedder: of this generation's own space, None when it cannot be had.
        now: seconds since 1970.
    """
    if embedder is None or stored is None or stored.vector is None or not isinstance(change, Item):
        return pending(change, now)
    if not fits(change, stored, embedder):
        return pending(change, now)
    return ready(change, stored.vector, space=stored.space, inputs_hash=stored.inputs_hash, written_at=now)


def fits(item: Item, stored: StoredItem, embedder: ItemEmbedder) -> bool:
    """Whether the stored vector is what the embedder would compute for the item."""
    return (
        stored.vector_state is VectorState.READY
        and stored.space == embedder.space
        and stored.inputs_hash == embedder.inputs_hash(item)
    )


def waves(changes: Sequence[Changed]) -> Iterator[list[tuple[int, Changed]]]:
    """The changes with their positions, in rounds that name no key twice, in the order told."""
    rounds: list[list[tuple[int, Changed]]] = []
    told: dict[ItemKey, int] = {}
    for position, change in enumerate(changes):
        turn = told.get(change.key, 0)
        told[change.key] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append((position, change))
    yield from rounds
