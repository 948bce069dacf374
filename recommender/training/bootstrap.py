"""The bootstrap encoder: word vectors trained on the catalogue's own titles and passages, with no download."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.vectors import Array
from recommender.training.frameworks import load_tensorflow
from recommender.training.pairs import TextPairs
from recommender.training.static_encoder import MAX_TOKENS, UNKNOWN_ID, StaticEncoder
from recommender.training.tokenizer import train_tokenizer

DIMENSION: Final = 256
BATCH: Final = 256
#: Inverse temperature of the softmax over cosines.
SCALE: Final = 20.0
LEARNING_RATE: Final = 5e-3
EPOCHS: Final = 20
FEWEST_STEPS: Final = 100
MOST_STEPS: Final = 400

#: Called with what is being done, how far it is, and how far it goes.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """When training stops, whichever comes first."""

    #: None = by the number of pairs.
    steps: int | None = None
    #: A cap for slow machines; results repeat exactly only when it is not reached.
    seconds: float = 60.0

    def steps_for(self, pairs: int) -> int:
        """How many steps for so many titles."""
        if self.steps is not None:
            return self.steps
        return min(max(EPOCHS * pairs // BATCH, FEWEST_STEPS), MOST_STEPS)


class _Bags:
    """Texts as bags of tokens: each distinct token once, weighted by its share of the text."""

    def __init__(self, tokenizer: Any, texts: Sequence[str]) -> None:
        self._ids: list[NDArray[np.int64]] = []
        self._shares: list[Array] = []
        for encoding in tokenizer.encode_batch(list(texts)):
            ids, counts = np.unique(np.array(encoding.ids[:MAX_TOKENS], np.int64), return_counts=True)
            self._ids.append(ids)
            self._shares.append((counts / max(counts.sum(), 1)).astype(np.float32))

    def frequencies(self, tokens: int) -> NDArray[np.int64]:
        """In how many texts each token is."""
        flat = np.concatenate([np.zeros(0, np.int64), *self._ids])
        return np.bincount(flat, minlength=tokens)

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, rows: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Token ids, the row of the batch each belongs to, and their weights, all flat."""
        ids = [self._ids[row] for row in rows]
        place = np.repeat(np.arange(len(rows)), [len(one) for one in ids])
        return np.concatenate(ids), place, np.concatenate([self._shares[row] for row in rows])


def train_bootstrap(
    texts: Sequence[str], pairs: TextPairs, budget: Budget, seed: int = 0, progress: Progress | None = None
) -> StaticEncoder:
    """An encoder whose titles find their passages, from nothing but the catalogue.

    In-batch softmax over cosines, both ways (Henderson et al. 2017, arXiv 1705.00652), items of equal title
    never each other's negatives. It starts from random vectors of idf length, which already is a random
    projection of tf-idf; with fewer than two pairs it stays that.

    Args:
        texts: every text of the catalogue, for the tokenizer and token frequencies.
        pairs: what belongs together.
        budget: when to stop.
        seed: makes a run repeatable.
        progress: told every step.
    """
    tokenizer = train_tokenizer(texts)
    rng = np.random.default_rng(seed)
    start = _start(_Bags(tokenizer, texts), tokenizer.get_vocab_size(), rng)
    titles = _Bags(tokenizer, pairs.titles)
    if len(set(pairs.titles)) < 2:
        return StaticEncoder(tokenizer, start)
    passages = _Bags(tokenizer, list(chain.from_iterable(pairs.passages)))
    step = _Step(start)
    steps, deadline = budget.steps_for(len(titles)), time.monotonic() + budget.seconds
    batches = _batches(pairs, rng)
    for number in range(steps):
        rows, chosen, same = next(batches)
        step.run(titles.batch(rows), passages.batch(chosen), same)
        if progress:
            progress("training the text encoder", number + 1, steps)
        if time.monotonic() > deadline:
            break
    weights = step.weights()
    weights[: UNKNOWN_ID + 1] = 0
    return StaticEncoder(tokenizer, weights)


def _start(bags: _Bags, tokens: int, rng: np.random.Generator) -> Array:
    idf = np.log((len(bags) + 1) / (bags.frequencies(tokens) + 1)) + 0.1
    weights = rng.standard_normal((tokens, DIMENSION)) / np.sqrt(DIMENSION) * (idf / idf.mean())[:, np.newaxis]
    weights[: UNKNOWN_ID + 1] = 0
    return np.asarray(weights, np.float32)


def _batches(pairs: TextPairs, rng: np.random.Generator) -> Any:
    """For ever: rows of titles, one passage of each, and which titles of the batch are equal."""
    counts = np.array([len(one) for one in pairs.passages])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    groups = np.unique(np.array(pairs.titles), return_inverse=True)[1]
    while True:
        order = rng.permutation(len(counts))
        for start in range(0, max(len(order) - BATCH, 0) + 1, BATCH):
            rows = order[start : start + BATCH]
            chosen = first[rows] + rng.integers(0, counts[rows])
            same = (groups[rows][:, np.newaxis] == groups[rows]) & ~np.eye(len(rows), dtype=bool)
            yield rows, chosen, same.astype(np.float32)


class _Step:
    """One training step, traced once for batches of any length."""

    def __init__(self, start: Array) -> None:
        tf = load_tensorflow()
        self._tf = tf
        self._weights = tf.Variable(start)
        self._optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build([self._weights])
        flat = [tf.TensorSpec([None], kind) for kind in ("int64", "int64", "float32")]
        square = tf.TensorSpec([None, None], "float32")
        self._run = tf.function(self._descend, input_signature=[*flat, *flat, square], autograph=False)

    def run(self, titles: Sequence[Any], passages: Sequence[Any], same: Array) -> float:
        """Descend once; the loss before."""
        return float(self._run(*titles, *passages, same))

    def weights(self) -> Array:
        """The vectors as they are now."""
        return np.array(self._weights.numpy(), np.float32)

    def _descend(self, *batch: Any) -> Any:
        tf = self._tf
        *flat, same = batch
        with tf.GradientTape() as tape:
            left, right = self._embed(*flat[:3]), self._embed(*flat[3:])
            logits = SCALE * tf.matmul(left, right, transpose_b=True) - 1e9 * same
            labels = tf.range(tf.shape(logits)[0])
            losses = [
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, one) for one in (logits, tf.transpose(logits))
            ]
            loss = tf.reduce_mean(tf.add_n(losses)) / 2
        gradient = tf.convert_to_tensor(tape.gradient(loss, self._weights))
        self._optimizer.apply_gradients([(gradient, self._weights)])
        return loss

    def _embed(self, ids: Any, place: Any, shares: Any) -> Any:
        tf = self._tf
        sums = tf.math.segment_sum(tf.gather(self._weights, ids) * shares[:, tf.newaxis], place)
        return tf.math.l2_normalize(sums, axis=1)
