"""Query vectors: the last queries that were embedded, so that the next page costs nothing."""

from __future__ import annotations

from typing import Final

from domain.vectors import Array
from rerank_service.recent import Recent
from rerank_service.shelf import RankingBundle

#: Queries kept; a vector is half a kilobyte.
CAPACITY: Final = 10_000


class QueryVectors:
    """Embeds queries and keeps the last of them; texts only, nothing of any tenant's items."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._recent: Recent[tuple[str, str], Array | None] = Recent(capacity)

    def known(self, bundle: RankingBundle, text: str) -> bool:
        """Whether `get` would not have to embed it."""
        return bool(self._recent.known([(bundle.id, text)]))

    def get(self, bundle: RankingBundle, text: str) -> Array | None:
        """The text as the bundle embeds it, ``[128]``; None when it knows no token of it."""
        key = (bundle.id, text)
        found = self._recent.known([key])
        if not found:
            found = {key: bundle.embed_query(text)}
            self._recent.keep(found)
        return found[key]
