"""Export of the trained user tower and scorer, under the same signatures as bundle zero's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.vectors import DIMENSIONS
from recommender.neighbours import SIGNALS
from recommender.training.export import export_network
from recommender.training.frameworks import load_tensorflow
from recommender.training.taste_networks import TasteNetworks
from recommender.training.zero_networks import export_user, random_units

#: The personal score has this standard deviation over a person's candidates; the engine's term lies in 0 to 1.
PERSONAL_SPREAD: Final = 1.0
#: The gate of a request with a query, where taste orders what fits the words, and of one without.
GATE_WITH_QUERY: Final = 0.2
GATE_WITHOUT_QUERY: Final = 1.0


def export_taste_tower(networks: TasteNetworks, path: Path) -> Any:
    """Write the user tower; returns the traced function."""
    tf = load_tensorflow()

    def embed(items: Any, weights: Any, ages: Any, query: Any) -> dict[str, Any]:  # noqa: ARG001  the query is not read
        found = networks.users(items[tf.newaxis], weights[tf.newaxis], ages[tf.newaxis])
        return {"user_vector": found[0]}

    return export_user(embed, path)


def export_taste_scorer(networks: TasteNetworks, spread: float, path: Path) -> Any:
    """Write the scorer: relevance is the cosine with the query, personal the trained score; returns the function.

    Args:
        networks: trained.
        spread: standard deviation of their personal score over a person's candidates.
        path: the ``.onnx`` file.
    """
    tf = load_tensorflow()
    scale = np.float32(PERSONAL_SPREAD / max(spread, 1e-6))

    def score(query: Any, user: Any, items: Any, signals: Any) -> dict[str, Any]:
        asked = tf.reduce_any(tf.not_equal(query, 0.0))
        known = tf.cast(tf.reduce_any(tf.not_equal(user, 0.0)), tf.float32)
        fits = networks.personal(tf.linalg.matvec(items, user), signals)
        return {
            "relevance": tf.linalg.matvec(items, query),
            "gate": tf.where(asked, GATE_WITH_QUERY, GATE_WITHOUT_QUERY),
            "personal": known * scale * fits,
        }

    signature: Mapping[str, Any] = {
        "query": ((DIMENSIONS,), "float32"),
        "user": ((DIMENSIONS,), "float32"),
        "items": ((None, DIMENSIONS), "float32"),
        "signals": ((None, len(SIGNALS)), "float32"),
    }
    rng = np.random.default_rng(0)
    zero = np.zeros(DIMENSIONS, np.float32)
    examples = [
        {
            "query": query,
            "user": user,
            "items": random_units(rng, count),
            "signals": rng.uniform(-0.1, 1.0, (count, len(SIGNALS))).astype(np.float32),
        }
        for count, query, user in (
            (1, zero, zero),
            (7, random_units(rng, 1)[0], zero),
            (200, zero, random_units(rng, 1)[0]),
            (1_000, random_units(rng, 1)[0], random_units(rng, 1)[0]),
        )
    ]
    return export_network(score, signature, path, examples)
