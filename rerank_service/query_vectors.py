"""Query vectors: the last queries that were embedded, so that the next page costs nothing."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from domain.vectors import Array
from rerank_service.shelf import RankingBundle

#: Queries kept; a vector is half a kilobyte.
CAPACITY: Final = 10_000


class QueryVectors:
    """Embeds queries and keeps the last of them; texts only, nothing of any tenant's items."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, str], Array | None] = OrderedDict()
        self._lock = Lock()

    def get(self, bundle: RankingBundle, text: str) -> Array | None:
        """The text as the bundle embeds it, ``[128]``; None when it knows no token of it."""
        key = (bundle.id, text)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        vector = bundle.embed_query(text)
        with self._lock:
            self._kept[key] = vector
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return vector
