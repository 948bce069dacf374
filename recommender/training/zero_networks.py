"""The three networks of bundle zero: fixed functions, because nobody has clicked anything yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.vectors import DIMENSIONS
from recommender.training.export import export_network
from recommender.training.frameworks import load_tensorflow
from recommender.training.projection import CATEGORY_SHARE, FARTHEST, NUMBER_SHARE, TEXT_SHARE, Projection

#: An event's weight falls as (1 + days) ** -DECAY.
DECAY: Final = 0.5
#: What the zero slot weighs in the mean of a history, beside the events' own weights.
ZERO_SLOT: Final = 1.0
#: A mean shorter than this says nothing: a single click becomes that faint after a year.
FAINTEST: Final = 0.05
#: The gate of a request with a query and of one without: who asks for something is answered first.
GATE_WITH_QUERY: Final = 0.5
GATE_WITHOUT_QUERY: Final = 1.0
#: Weight of the cosine with the user. Over a window of candidates that cosine spreads over about 0.1, the engine's
#: scaled score over about 0.3: without it a person's taste could only break ties.
PERSONAL: Final = 4.0


def export_item_tower(projection: Projection, path: Path) -> Any:
    """Write the item tower of this projection; returns the traced function."""
    tf = load_tensorflow()
    # NumPy arrays, so that tracing makes them constants; tensors made here would become inputs.
    text_matrix = np.float32(np.sqrt(TEXT_SHARE)) * projection.text
    category_matrix = np.float32(np.sqrt(CATEGORY_SHARE)) * projection.category
    number_matrix = np.float32(np.sqrt(NUMBER_SHARE)) * projection.number
    bucket_weights = projection.bucket_weights
    last_axis = np.eye(DIMENSIONS, dtype=np.float32)[-1]
    slots = len(projection.number) // 2

    def embed(text: Any, category_ids: Any, category_weights: Any, numbers: Any, known: Any) -> dict[str, Any]:
        weights = category_weights * tf.gather(bucket_weights, category_ids)
        rows = tf.gather(category_matrix, category_ids) * weights[:, :, tf.newaxis]
        total = tf.matmul(text, text_matrix) + _shortened(tf, tf.reduce_sum(rows, axis=1), weights)
        if slots:
            angles = tf.clip_by_value(numbers, -FARTHEST / 2, FARTHEST / 2) * (np.pi / FARTHEST)
            circles = tf.concat([tf.cos(angles) * known, tf.sin(angles) * known], axis=1)
            total += _shortened(tf, tf.matmul(circles, number_matrix), circles)
        nothing = tf.reduce_all(tf.equal(total, 0.0), axis=1, keepdims=True)
        total += tf.cast(nothing, tf.float32) * last_axis
        return {"item_vector": _shortened(tf, total, total)}

    signature: Mapping[str, Any] = {
        "text": ((None, len(projection.text)), "float32"),
        "category_ids": ((None, None), "int64"),
        "category_weights": ((None, None), "float32"),
        "numbers": ((None, slots), "float32"),
        "known": ((None, slots), "float32"),
    }
    return export_network(embed, signature, path, _item_examples(projection, slots))


def export_user_tower(path: Path) -> Any:
    """Write the user tower: the mean of the history by weight and age, with a slot of zeros, unit length or zero."""
    tf = load_tensorflow()

    def embed(items: Any, weights: Any, ages: Any, query: Any) -> dict[str, Any]:  # noqa: ARG001  later towers read it
        faded = weights * tf.exp(-DECAY * ages)
        mean = tf.reduce_sum(items * faded[:, tf.newaxis], axis=0) / (ZERO_SLOT + tf.reduce_sum(faded))
        length = tf.sqrt(tf.reduce_sum(mean * mean))
        counts = tf.cast(length > FAINTEST, tf.float32)
        return {"user_vector": mean * counts / tf.maximum(length, FAINTEST)}

    return export_user(embed, path)


def export_user(embed: Callable[..., dict[str, Any]], path: Path) -> Any:
    """Write a user tower; returns the traced function.

    Args:
        embed: items ``[h, 128]``, weights ``[h]``, ages ``[h]`` and query ``[128]`` to ``user_vector`` ``[128]``.
        path: the ``.onnx`` file.
    """
    signature: Mapping[str, Any] = {
        "items": ((None, DIMENSIONS), "float32"),
        "weights": ((None,), "float32"),
        "ages": ((None,), "float32"),
        "query": ((DIMENSIONS,), "float32"),
    }
    rng = np.random.default_rng(0)
    examples = [
        {
            "items": random_units(rng, count),
            "weights": rng.uniform(0, 4, count).astype(np.float32),
            "ages": rng.uniform(0, 6, count).astype(np.float32),
            "query": random_units(rng, 1)[0],
        }
        for count in (0, 1, 50)
    ]
    return export_network(embed, signature, path, examples)


def export_scorer(path: Path) -> Any:
    """Write the scorer: cosine with the query, and cosine with the user behind a fixed gate."""
    tf = load_tensorflow()

    def score(query: Any, user: Any, items: Any, signals: Any) -> dict[str, Any]:  # noqa: ARG001  later scorers read it
        asked = tf.reduce_any(tf.not_equal(query, 0.0))
        return {
            "relevance": tf.linalg.matvec(items, query),
            "gate": tf.where(asked, GATE_WITH_QUERY, GATE_WITHOUT_QUERY),
            "personal": PERSONAL * tf.linalg.matvec(items, user),
        }

    signature: Mapping[str, Any] = {
        "query": ((DIMENSIONS,), "float32"),
        "user": ((DIMENSIONS,), "float32"),
        "items": ((None, DIMENSIONS), "float32"),
        "signals": ((None, 0), "float32"),
    }
    rng = np.random.default_rng(0)
    zero = np.zeros(DIMENSIONS, np.float32)
    examples = [
        {"query": query, "user": user, "items": random_units(rng, count), "signals": np.zeros((count, 0), np.float32)}
        for count, query, user in (
            (1, zero, zero),
            (7, random_units(rng, 1)[0], zero),
            (200, random_units(rng, 1)[0], random_units(rng, 1)[0]),
        )
    ]
    return export_network(score, signature, path, examples)


def _shortened(tf: Any, rows: Any, by: Any) -> Any:
    """The rows divided by the length of these others; a zero length leaves zero."""
    length = tf.sqrt(tf.reduce_sum(by * by, axis=1, keepdims=True))
    return rows / tf.where(length > 0.0, length, 1.0)


def _item_examples(projection: Projection, slots: int) -> Sequence[Mapping[str, Any]]:
    rng = np.random.default_rng(0)
    found = []
    for count, width in ((1, 1), (5, 3), (64, 8)):
        known = (rng.random((count, slots)) < 0.7).astype(np.float32)
        text = rng.standard_normal((count, len(projection.text))).astype(np.float32)
        text /= np.linalg.norm(text, axis=1, keepdims=True)
        ids = rng.integers(0, len(projection.bucket_weights), (count, width))
        found.append(
            {
                "text": text * (np.arange(count) > 0)[:, np.newaxis].astype(np.float32),
                "category_ids": ids,
                "category_weights": (ids > 0) * rng.random((count, width)).astype(np.float32),
                "numbers": rng.uniform(-4, 4, (count, slots)).astype(np.float32) * known,
                "known": known,
            }
        )
    return found


def random_units(rng: np.random.Generator, count: int) -> Any:
    """Unit vectors ``[count, 128]`` to try a network with."""
    vectors = rng.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
