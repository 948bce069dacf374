"""Parity: the lean run time beside TensorFlow on random inputs of every shape and emptiness that can come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.features import History, ItemFeatures
from domain.vectors import DIMENSIONS, Array, unit
from recommender.neighbours import SIGNALS
from recommender.towers import OnnxItemTower, OnnxScorer, OnnxUserTower

TEXT, BUCKETS, SLOTS = 40, 50, 3
#: Items or candidates of one call.
COUNTS: Final = (0, 1, 2, 7, 64, 200, 1_000)
#: Their shares: the large ones are slow and no other than the small ones.
SHARES: Final = (0.1, 0.3, 0.2, 0.2, 0.1, 0.08, 0.02)
#: Signals of the relevance that is trained on judgments.
JUDGED: Final = 9
#: Events of a history.
LENGTHS: Final = (0, 1, 2, 10, 50)


#: Query, user, candidates ``[n, 128]`` and signals ``[n, s]``.
Asked = tuple[Array | None, Array | None, Array, Array]
#: Numbers of an input by name.
Lean = Callable[[Any], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A network twice: as TensorFlow traced it, and as the lean run time opened its file."""

    #: A random input.
    draw: Callable[[np.random.Generator], Any]
    traced: Lean
    #: Opens the file anew.
    opened: Callable[[], Lean]
    #: One row of an input as an input of its own; None where an input is one row.
    single: Callable[[Any, int], Any] | None


def greatest_differences(pair: Pair, inputs: int, seed: int = 0) -> dict[str, float]:
    """How far the lean run time is from TensorFlow, a row of a batch from that row alone, and a reload from itself."""
    rng = np.random.default_rng(seed)
    lean, again = pair.opened(), pair.opened()
    found = {"TensorFlow": 0.0, "single": 0.0, "reload": 0.0}
    for _ in range(inputs):
        given = pair.draw(rng)
        batch = lean(given)
        found["TensorFlow"] = max(found["TensorFlow"], _difference(batch, pair.traced(given)))
        found["reload"] = max(found["reload"], _difference(batch, again(given)))
        rows = max((len(one) for one in batch.values() if one.ndim), default=0)
        if pair.single is not None and rows:
            row = int(rng.integers(rows))
            alone = lean(pair.single(given, row))
            part = {name: one[row : row + 1] if one.ndim else one for name, one in batch.items()}
            found["single"] = max(found["single"], _difference(part, alone))
    return found


def pairs(folder: Path) -> dict[str, Pair]:
    """Every network that a bundle can hold, with weights as random as its inputs.

    Args:
        folder: for the files.
    """
    from recommender.training.projection import fit_projection
    from recommender.training.relevance_network import RelevanceNetwork, export_relevance
    from recommender.training.taste_export import export_taste_scorer, export_taste_tower
    from recommender.training.taste_networks import TasteNetworks
    from recommender.training.zero_networks import export_item_tower, export_scorer, export_user_tower

    rng = np.random.default_rng(1)
    sample = items(rng, 300, empty=False)
    taste = TasteNetworks(rng.uniform(-1, 4, (200, len(SIGNALS))).astype(np.float32), 0)
    for one in taste.variables:
        one.assign_add(rng.normal(0, 0.1, one.shape).astype(np.float32))
    columns = rng.uniform(-1, 4, (200, 1 + JUDGED)).astype(np.float32)
    fits = RelevanceNetwork(columns, (rng.random(1 + JUDGED) < 0.5).astype(np.float32), 0)
    fits.centre(columns)
    names = ("item", "user", "taste_user", "scorer", "taste_scorer", "relevance")
    item, user, taste_user, scorer, taste_scorer, relevance = (folder / f"{name}.onnx" for name in names)
    projection = fit_projection(sample, ["listing"] * 300, BUCKETS)
    return {
        "item tower": _item_pair(export_item_tower(projection, item), item),
        "user tower of bundle zero": _user_pair(export_user_tower(user), user),
        "user tower, trained": _user_pair(export_taste_tower(taste, taste_user), taste_user),
        "scorer of bundle zero": _scorer_pair(export_scorer(scorer), scorer, 0),
        "scorer, trained": _scorer_pair(export_taste_scorer(taste, 1.0, taste_scorer), taste_scorer, len(SIGNALS)),
        "relevance, trained": _relevance_pair(export_relevance(fits, JUDGED, relevance), relevance, scorer),
    }


def items(rng: np.random.Generator, count: int, *, empty: bool) -> ItemFeatures:
    """Features of items that have some fields and lack others, or lack all."""
    present = 0.0 if empty else 0.7
    width = int(rng.integers(1, 9))
    known = (rng.random((count, SLOTS)) < present).astype(np.float32)
    # Distinct buckets within an item, as the feature builder gives them.
    ids = np.array([rng.permutation(BUCKETS)[:width] + 1 for _ in range(count)], np.int64).reshape(count, width)
    held = rng.random(ids.shape) < present
    text = unit(rng.standard_normal((count, TEXT)).astype(np.float32))
    return ItemFeatures(
        text=text * (rng.random((count, 1)) < present).astype(np.float32),
        category_ids=ids * held,
        category_weights=(rng.random(ids.shape) * held).astype(np.float32),
        numbers=rng.uniform(-4, 4, (count, SLOTS)).astype(np.float32) * known,
        known=known,
    )


def _item_pair(traced: Any, path: Path) -> Pair:
    names = ItemFeatures.__slots__

    def single(given: ItemFeatures, row: int) -> ItemFeatures:
        return ItemFeatures(*(getattr(given, name)[row : row + 1] for name in names))

    def opened() -> Lean:
        tower = OnnxItemTower(path)
        return lambda given: {"item_vector": tower.embed(given)}

    return Pair(
        lambda rng: items(rng, _count(rng), empty=bool(rng.random() < 0.1)),
        lambda given: _plain(traced(**{name: getattr(given, name) for name in names})),
        opened,
        single,
    )


def _user_pair(traced: Any, path: Path) -> Pair:
    def draw(rng: np.random.Generator) -> tuple[History, Array | None]:
        length = int(rng.choice(LENGTHS))
        weights, ages = rng.uniform(0, 4, length), rng.uniform(0, 8, length)
        weights *= rng.random(length) < 0.9
        history = History(_units(rng, length), weights.astype(np.float32), ages.astype(np.float32))
        return history, _units(rng, 1)[0] if rng.random() < 0.5 else None

    def expected(given: tuple[History, Array | None]) -> Mapping[str, Array]:
        history, query = given
        told = {"items": history.items, "weights": history.weights, "ages": history.ages, "query": _or_zero(query)}
        return _plain(traced(**told))

    def opened() -> Lean:
        tower = OnnxUserTower(path)
        return lambda given: {"user_vector": tower.embed(*given)}

    return Pair(draw, expected, opened, None)


def _scorer_pair(traced: Any, path: Path, signals: int) -> Pair:
    def expected(given: Asked) -> Mapping[str, Array]:
        query, user, vectors, told = given
        return _plain(traced(query=_or_zero(query), user=_or_zero(user), items=vectors, signals=told))

    def opened() -> Lean:
        scorer = OnnxScorer(path)

        def score(given: Any) -> dict[str, Array]:
            found = scorer.score(*given)
            return {"relevance": found.relevance, "gate": np.array(found.gate, np.float32), "personal": found.personal}

        return score

    return Pair(partial(_asked, signals), expected, opened, _one_candidate)


def _relevance_pair(traced: Any, path: Path, scorer: Path) -> Pair:
    def expected(given: Asked) -> Mapping[str, Array]:
        query, _, vectors, told = given
        return _plain(traced(query=_or_zero(query), items=vectors, signals=told))

    def opened() -> Lean:
        both = OnnxScorer(scorer, judged=path)
        return lambda given: {"relevance": both.score(*given).relevance}

    return Pair(partial(_asked, JUDGED), expected, opened, _one_candidate)


def _asked(signals: int, rng: np.random.Generator) -> Asked:
    """Query, user, candidates and their signals; each of the first two is sometimes not there."""
    count = _count(rng)
    query, user = (_units(rng, 1)[0] if rng.random() < 0.7 else None for _ in range(2))
    told = rng.uniform(-1, 5, (count, signals)) * (rng.random((count, signals)) < 0.7)
    return query, user, _units(rng, count), told.astype(np.float32)


def _one_candidate(given: Asked, row: int) -> Asked:
    query, user, vectors, told = given
    return query, user, vectors[row : row + 1], told[row : row + 1]


def _count(rng: np.random.Generator) -> int:
    return int(rng.choice(COUNTS, p=SHARES))


def _units(rng: np.random.Generator, count: int) -> Array:
    return unit(rng.standard_normal((count, DIMENSIONS)).astype(np.float32))


def _or_zero(vector: Array | None) -> Array:
    return np.zeros(DIMENSIONS, np.float32) if vector is None else vector


def _plain(found: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(one) for name, one in found.items()}


def _difference(found: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    assert set(found) == set(expected)
    assert all(np.shape(found[name]) == np.shape(expected[name]) for name in found)
    return max(float(np.abs(found[name] - expected[name]).max(initial=0.0)) for name in found)
