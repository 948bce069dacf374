"""The trained relevance as a Keras network, and its export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.vectors import DIMENSIONS, Array
from recommender.training.export import export_network
from recommender.training.frameworks import load_tensorflow
from recommender.training.zero_networks import random_units

HIDDEN: Final = (32, 16)
#: Standardised columns stay within plus and minus this, whatever a request brings.
FARTHEST: Final = 8.0
#: The engine's term weighs at least this much in the training's logits.
WEAKEST: Final = 0.3
#: Where its weight begins, and the cosine's beside it: the ranking of bundle zero.
ENGINE_START: Final = 2.0


class RelevanceNetwork:
    """A small network with a linear bypass (Cheng et al., DLRS 2016) over cosine and signals of each candidate.

    It learns beside the engine's term, whose weight is learnt too; relevance is told in units of that term, because
    the service adds the two.

    Args:
        columns: ``[rows, 1 + s]`` cosines and signals to scale by.
        logged: ``[1 + s]`` 1 for columns that are read by their logarithms.
        seed: of the first weights.
    """

    def __init__(self, columns: Array, logged: Array, seed: int) -> None:
        tf = load_tensorflow()
        self._tf = tf
        tf.keras.utils.set_random_seed(seed)
        self._logged = logged
        told = self._told(np, columns)
        spread = told.std(axis=0)
        self._mean = told.mean(axis=0).astype(np.float32)
        self._spread = np.where(spread > 1e-3, spread, 1.0).astype(np.float32)
        dense = tf.keras.layers.Dense
        width = columns.shape[1]
        deep = [dense(units, activation="silu") for units in HIDDEN]
        self._deep = tf.keras.Sequential([tf.keras.Input((width,)), *deep, dense(1, use_bias=False)])
        start = np.zeros((width, 1), np.float32)
        start[0] = ENGINE_START * self._spread[0]
        self._wide = tf.Variable(start, name="wide")
        self._engine = tf.Variable(np.float32(ENGINE_START - WEAKEST), name="engine")
        self._middle = np.float32(0)

    @property
    def variables(self) -> list[Any]:
        """Everything that is learnt, in a fixed order."""
        return [self._wide, self._engine, *self._deep.trainable_variables]

    def relevance(self, columns: Any) -> Any:
        """``[rows]`` How well each candidate fits, in units of the engine's term.

        Args:
            columns: ``[rows, 1 + s]``.
        """
        return (self._raw(columns) - self._middle) / self._strength()

    def logits(self, columns: Any, engine: Any) -> Any:
        """``[q, n]`` of the training softmax.

        Args:
            columns: ``[q, n, 1 + s]``.
            engine: ``[q, n]``.
        """
        tf = self._tf
        flat = self._raw(tf.reshape(columns, [-1, columns.shape[-1]]))
        return tf.reshape(flat, tf.shape(engine)) + self._strength() * engine

    def loss(self, columns: Any, engine: Any, labels: Any) -> Any:
        """Listwise softmax cross-entropy (Cao et al., ICML 2007), each candidate against those labelled lower.

        Labels count as gains, 2^label - 1, each query as much as any other.
        """
        tf = self._tf
        logits = self.logits(columns, engine)
        lower = (labels[:, tf.newaxis, :] < labels[:, :, tf.newaxis]) & (labels >= 0)[:, tf.newaxis, :]
        others = tf.reduce_logsumexp(tf.where(lower, logits[:, tf.newaxis, :], -1e9), axis=2)
        gains = tf.where(tf.reduce_any(lower, axis=2), tf.pow(2.0, labels) - 1.0, 0.0)
        shares = gains / tf.maximum(tf.reduce_sum(gains, axis=1, keepdims=True), 1e-6)
        return tf.reduce_mean(tf.reduce_sum(shares * tf.nn.softplus(others - logits), axis=1))

    def centre(self, columns: Array) -> None:
        """Make relevance 0 on average over these candidates ``[rows, 1 + s]``; no order depends on it."""
        self._middle = np.float32(np.asarray(self._raw(columns)).mean())

    def _raw(self, columns: Any) -> Any:
        tf = self._tf
        read = tf.clip_by_value((self._told(tf, columns) - self._mean) / self._spread, -FARTHEST, FARTHEST)
        return (self._deep(read) + tf.matmul(read, self._wide))[:, 0]

    def _strength(self) -> Any:
        return WEAKEST + self._tf.abs(self._engine)

    def _told(self, xp: Any, columns: Any) -> Any:
        """The columns, by their logarithms where they are skewed."""
        logs = xp.math.log(1.0 + xp.maximum(columns, 0.0)) if xp is not np else np.log1p(np.maximum(columns, 0.0))
        return columns * (1 - self._logged) + logs * self._logged


def export_relevance(network: RelevanceNetwork, signals: int, path: Path) -> Any:
    """Write the network under the scorer's names; returns the traced function.

    Args:
        network: trained.
        signals: how many columns of signals it reads.
        path: the ``.onnx`` file.
    """
    tf = load_tensorflow()

    def score(query: Any, items: Any, signals: Any) -> dict[str, Any]:
        asked = tf.cast(tf.reduce_any(tf.not_equal(query, 0.0)), tf.float32)
        columns = tf.concat([tf.linalg.matvec(items, query)[:, tf.newaxis], signals], axis=1)
        return {"relevance": asked * network.relevance(columns)}

    signature: Mapping[str, Any] = {
        "query": ((DIMENSIONS,), "float32"),
        "items": ((None, DIMENSIONS), "float32"),
        "signals": ((None, signals), "float32"),
    }
    rng = np.random.default_rng(0)
    examples = [
        {
            "query": query,
            "items": random_units(rng, count),
            "signals": (rng.uniform(0, 1, (count, signals)) * 10 ** rng.uniform(0, 3, signals)).astype(np.float32),
        }
        for count, query in (
            (1, np.zeros(DIMENSIONS, np.float32)),
            (7, random_units(rng, 1)[0]),
            (200, random_units(rng, 1)[0]),
        )
    ]
    return export_network(score, signature, path, examples)
