"""The trained user tower and the personal part of the scorer, as Keras networks over batches of people."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from domain.vectors import DIMENSIONS, Array
from recommender.neighbours import SIGNALS
from recommender.training.frameworks import load_tensorflow
from recommender.training.taste import Cases
from recommender.training.zero_networks import DECAY, FAINTEST, ZERO_SLOT

HIDDEN: Final = (64, 32)
#: Inverse temperature of the user tower's own softmax over cosines.
SCALE: Final = 10.0
#: Share of that softmax in the loss, beside the scorer's.
TOWER_SHARE: Final = 0.3
#: Standardised signals stay within plus and minus this, whatever a request brings.
FARTHEST: Final = 8.0
#: Signals of either sign and long tails are read as signed roots.
_ROOTED: Final = np.array([name in {"neighbours.sum", "neighbours.most"} for name in SIGNALS], np.float32)


class TasteNetworks:
    """The two networks that one person's history goes through, trained together.

    The user tower is attention pooling with a slot of zeros (Ai et al., CIKM 2019, arXiv 1908.11322) and a residual
    network; it begins as bundle zero's. The personal score reads the neighbour signals and the cosine with the user
    in a small network with a linear bypass (Cheng et al., DLRS 2016: wide and deep).

    Args:
        signals: ``[.., 7]`` neighbour signals to scale by.
        seed: of the first weights.
    """

    def __init__(self, signals: Array, seed: int) -> None:
        tf = load_tensorflow()
        self._tf = tf
        tf.keras.utils.set_random_seed(seed)
        columns = _rooted(np, signals.reshape(-1, len(SIGNALS)))
        spread = columns.std(axis=0)
        self._mean = np.concatenate([columns.mean(axis=0), [0]]).astype(np.float32)
        self._spread = np.concatenate([np.where(spread > 1e-3, spread, 1.0), [0.25]]).astype(np.float32)
        dense = tf.keras.layers.Dense
        self._direction = tf.Variable(np.zeros(DIMENSIONS, np.float32), name="direction")
        self._pooling = tf.Variable(np.array([DECAY, np.log(ZERO_SLOT)], np.float32), name="pooling")
        self._tower = tf.keras.Sequential(
            [
                tf.keras.Input((DIMENSIONS,)),
                dense(DIMENSIONS, activation="silu"),
                dense(DIMENSIONS, use_bias=False, kernel_initializer="zeros"),
            ]
        )
        width = len(SIGNALS) + 1
        deep = [dense(units, activation="silu") for units in HIDDEN]
        self._deep = tf.keras.Sequential([tf.keras.Input((width,)), *deep, dense(1, use_bias=False)])
        self._wide = tf.keras.Sequential([tf.keras.Input((width,)), dense(1, use_bias=False)])

    @property
    def variables(self) -> list[Any]:
        """Everything that is learnt, in a fixed order."""
        networks = (self._tower, self._deep, self._wide)
        return [self._direction, self._pooling, *(one for network in networks for one in network.trainable_variables)]

    def users(self, items: Any, weights: Any, ages: Any) -> Any:
        """Unit vectors ``[c, 128]``, or zero for a history that is empty or too faint to count.

        Args:
            items: ``[c, h, 128]``.
            weights: ``[c, h]``, 0 = no event.
            ages: ``[c, h]``.
        """
        tf = self._tf
        said = tf.reduce_sum(items * self._direction, axis=2) - self._pooling[0] * ages
        faded = weights * tf.exp(tf.clip_by_value(said, -10.0, 10.0))
        total = tf.exp(self._pooling[1]) + tf.reduce_sum(faded, axis=1, keepdims=True)
        pooled = tf.reduce_sum(items * faded[:, :, tf.newaxis], axis=1) / total
        counts = tf.cast(tf.reduce_sum(pooled * pooled, axis=1, keepdims=True) > FAINTEST**2, tf.float32)
        moved = pooled + self._tower(pooled)
        # The root of a sum that is never 0: its gradient stays finite.
        length = tf.sqrt(tf.reduce_sum(moved * moved, axis=1, keepdims=True) + 1e-12)
        return counts * moved / length

    def personal(self, cosines: Any, signals: Any) -> Any:
        """How well each candidate fits: ``[rows]``, in units of the training softmax.

        Args:
            cosines: ``[rows]`` with the user.
            signals: ``[rows, 7]`` neighbour signals.
        """
        tf = self._tf
        columns = tf.concat([_rooted(tf, signals), cosines[:, tf.newaxis]], axis=1)
        read = tf.clip_by_value((columns - self._mean) / self._spread, -FARTHEST, FARTHEST)
        return (self._deep(read) + self._wide(read))[:, 0]

    def logits(self, vectors: Any, cases: tuple[Any, ...]) -> tuple[Any, Any]:
        """The scorer's and the tower's logits ``[c, n]`` of these cases.

        Args:
            vectors: ``[items, 128]``.
            cases: the arrays of `Cases`, in order.
        """
        tf = self._tf
        items, weights, ages, candidates, signals, logq, _ = cases
        users = self.users(items, weights, ages)
        cosines = tf.einsum("cnd,cd->cn", tf.gather(vectors, candidates), users)
        shape = tf.shape(cosines)
        flat = self.personal(tf.reshape(cosines, [-1]), tf.reshape(signals, [-1, len(SIGNALS)]))
        return tf.reshape(flat, shape) + logq, SCALE * cosines + logq

    def loss(self, vectors: Any, cases: tuple[Any, ...]) -> Any:
        """Listwise softmax cross-entropy (Cao et al., ICML 2007), the tower's own added."""
        tf = self._tf
        scored, towered = self.logits(vectors, cases)
        own, other = (tf.nn.softmax_cross_entropy_with_logits(cases[-1], one) for one in (scored, towered))
        return tf.reduce_mean(own) + TOWER_SHARE * tf.reduce_mean(other)


def spread_of(networks: TasteNetworks, vectors: Array, cases: Cases) -> float:
    """The standard deviation of the personal score over the candidates of a case, on average."""
    scored, _ = networks.logits(vectors, cases.batch(slice(0, 64)))
    logits = np.asarray(scored) - cases.logq[:64]
    there = cases.logq[:64] > -1e8
    return float(np.mean([one[known].std() for one, known in zip(logits, there, strict=True)]))


def _rooted(xp: Any, signals: Any) -> Any:
    """The signals with their signed roots where they have long tails."""
    roots = xp.sign(signals) * xp.sqrt(xp.abs(signals))
    return signals * (1 - _ROOTED) + roots * _ROOTED
