"""Degraded: why an answer came in the engine's order."""

from __future__ import annotations

import logging
from collections import Counter
from enum import StrEnum
from threading import Lock
from typing import Final

_LOG = logging.getLogger("sidetower.service")


class Degraded(StrEnum):
    """Reasons; each is documented in docs/reference/http.md."""

    #: The model was not done within the deadline.
    DEADLINE = "deadline"
    BUNDLE_LOADING = "bundle_loading"
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_REFUSED = "bundle_refused"
    #: The bundle's space is not that of the generation.
    SPACE_MISMATCH = "space_mismatch"
    #: A network raised, or answered with something that is not one finite number for each candidate.
    MODEL_FAILED = "model_failed"
    #: No candidate has a vector in the generation's space.
    NO_VECTORS = "no_vectors"
    #: A person was named, but none of their history can be used, and there is no query text either.
    HISTORY_UNKNOWN = "history_unknown"
    #: The items of the history could not be read.
    HISTORY_UNAVAILABLE = "history_unavailable"
    #: (rerank) Our index or its release could not be read, so nothing is known of the candidates.
    INDEX_UNAVAILABLE = "index_unavailable"
    #: (rerank) This process or the search engine has too much to do.
    BUSY = "busy"
    #: (suggestions) The bundle's scores mean no probability yet.
    NO_CALIBRATION = "no_calibration"
    #: The item whose like is wanted has no vector yet.
    SEED_PENDING = "seed_pending"


#: Counted for each candidate whose vector is of another space than its generation.
WRONG_SPACE_HIT: Final = "wrong_space_hit"


class CannotRank(Exception):
    """Ends the ranking of one request; the engine's order is answered with the reason."""

    def __init__(self, reason: Degraded) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Tally:
    """Counts, since the start, degraded answers and hits of a wrong space; the first of each is logged."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, reason: str, cause: BaseException | None = None, times: int = 1) -> None:
        """Count `times` more; `cause` is logged with the first."""
        if not times:
            return
        with self._lock:
            first = reason not in self._counts
            self._counts[str(reason)] += times
        if first:
            _LOG.warning("first case of %s since the start", reason, exc_info=cause)

    def counts(self) -> dict[str, int]:
        """How many of each so far."""
        with self._lock:
            return {reason: count for reason, count in sorted(self._counts.items()) if count}
