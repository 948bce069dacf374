"""The three networks of a bundle, run without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from domain.features import History, ItemFeatures, Scores
from domain.vectors import DIMENSIONS, Array
from recommender.sessions import OnnxSession

#: Items of one call of the item tower: bounds memory, and batch equals single either way.
BATCH_ITEMS = 512


class OnnxItemTower:
    """Item features to item vectors.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = OnnxSession(path, threads)

    def embed(self, features: ItemFeatures) -> Array:
        """Unit vectors ``[n, 128]``."""
        vectors = np.zeros((len(features.text), DIMENSIONS), np.float32)
        for start in range(0, len(vectors), BATCH_ITEMS):
            rows = slice(start, start + BATCH_ITEMS)
            vectors[rows] = self._session.run(
                text=features.text[rows],
                category_ids=features.category_ids[rows],
                category_weights=features.category_weights[rows],
                numbers=features.numbers[rows],
                known=features.known[rows],
            )["item_vector"]
        return vectors


class OnnxUserTower:
    """A person's history to one vector in the item space.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._session = OnnxSession(path, threads)

    def embed(self, history: History, query: Array | None) -> Array:
        """Unit vector ``[128]``, or zero for a history that is empty or too faint to count."""
        if not len(history.items):
            return np.zeros(DIMENSIONS, np.float32)
        found = self._session.run(
            items=history.items, weights=history.weights, ages=history.ages, query=_or_zero(query)
        )
        return np.asarray(found["user_vector"], np.float32)


class OnnxScorer:
    """Vectors and signals to scores.

    The first columns of the signals are those of the scorer's own network, the last ones those of the network that
    was trained on judgments.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call.
        judged: the ``.onnx`` file of the relevance that was trained on judgments, where there is one.
    """

    def __init__(self, path: Path, threads: int = 1, judged: Path | None = None) -> None:
        self._session = OnnxSession(path, threads)
        self._judged = None if judged is None else OnnxSession(judged, threads)
        #: Columns of signals that the scorer's own network reads.
        self.columns = _columns(self._session)

    def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
        """Scores of n candidates; personal is exactly 0 without a user, relevance without a query."""
        own = signals[:, : self.columns]
        found = self._session.run(query=_or_zero(query), user=_or_zero(user), items=items, signals=own)
        relevance = found["relevance"]
        if self._judged is not None and query is not None:
            last = signals[:, signals.shape[1] - _columns(self._judged) :]
            relevance = self._judged.run(query=query, items=items, signals=last)["relevance"]
        return Scores(
            relevance=np.asarray(relevance, np.float32),
            gate=float(np.asarray(found["gate"]).reshape(())),
            personal=np.asarray(found["personal"], np.float32),
        )


def _columns(session: OnnxSession) -> int:
    """Columns of signals that a network reads."""
    return int(session.inputs["signals"][1]) if "signals" in session.inputs else 0


def _or_zero(vector: Array | None) -> Array:
    return np.zeros(DIMENSIONS, np.float32) if vector is None else vector
