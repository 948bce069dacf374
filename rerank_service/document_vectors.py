"""Document vectors: texts that a caller sent, as the bundle's text encoder reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.vectors import Array
from rerank_service.deadline import Deadline
from rerank_service.degraded import CannotRank, Degraded
from rerank_service.recent import Recent
from rerank_service.shelf import RankingBundle

#: Text vectors kept: 15 MB of 384 numbers each.
CAPACITY: Final = 10_000
#: Texts of one call of the encoder; between two calls the clock is read.
BATCH: Final = 16

#: Tenant, text encoder, SHA-256 of the text.
_Key = tuple[str, str, bytes]


class DocumentVectors:
    """Embeds texts and keeps the last of them, for each tenant apart: no tenant's clock tells of another's texts."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._recent: Recent[_Key, Array] = Recent(capacity)

    def get(self, bundle: RankingBundle, tenant: str, texts: Sequence[str], deadline: Deadline) -> Array:
        """Unit vectors ``[n, d]``, zero for a text without a token that the encoder knows.

        What is embedded when the deadline passes is kept, so the same texts come further the next time.

        Raises:
            CannotRank: the deadline passed, or the encoder's answer is not one finite vector for each text.
        """
        keys = [(tenant, bundle.encoder.identity, hashlib.sha256(text.encode()).digest()) for text in texts]
        found = self._recent.known(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        waiting = list(missing)
        for start in range(0, len(waiting), BATCH):
            if deadline.remaining() <= 0:
                raise CannotRank(Degraded.DEADLINE)
            batch = waiting[start : start + BATCH]
            vectors = bundle.encoder.encode([missing[key] for key in batch])
            if vectors.shape != (len(batch), bundle.encoder.dimension) or not np.isfinite(vectors).all():
                raise CannotRank(Degraded.MODEL_FAILED)
            # Copies: a row would keep its whole batch in memory.
            embedded = {key: vector.copy() for key, vector in zip(batch, vectors, strict=True)}
            self._recent.keep(embedded)
            found |= embedded
        return np.stack([found[key] for key in keys])
