"""Baselines: simple rankers, tuned on their own, that a trained network has to beat."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from domain.vectors import Array, unit
from recommender.neighbours import Interactions, ease, item_knn

#: Tried for EASE, for each thousand people.
RIDGES: Final = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
SHRINKS: Final = (0.0, 10.0, 50.0)

#: The scores of all items ``[items]`` for a history of rows.
Ranker = Callable[[Sequence[int]], Array]
#: How good a ranker is on cases that may be tuned on; greater is better.
Judge = Callable[[Ranker], float]

_WORD = re.compile(r"\w+")


def popularity(pairs: Interactions) -> Ranker:
    """Everyone gets what most people have."""
    counts = pairs.counts().astype(np.float32)
    return lambda _past: counts


def from_weights(weights: Array) -> Ranker:
    """The sum of the history's rows of an item-item matrix ``[items, items]``."""
    return lambda past: np.asarray(weights[list(past)].sum(axis=0), np.float32)


def tuned_ease(pairs: Interactions, judge: Judge) -> float:
    """The best ridge for EASE (Steck 2019) of `RIDGES`; `pairs` has none of the cases that are judged."""
    matrix = pairs.dense()
    return max(RIDGES, key=lambda ridge: judge(from_weights(ease(matrix, ridge * len(matrix) / 1_000))))


def tuned_item_knn(pairs: Interactions, judge: Judge) -> float:
    """The best shrinkage for ItemKNN of `SHRINKS`."""
    matrix = pairs.dense()
    return max(SHRINKS, key=lambda shrink: judge(from_weights(item_knn(matrix, shrink))))


def content_knn(vectors: Array, most: bool) -> Ranker:
    """Items like the history's, by cosine: like their mean, or like the nearest of them.

    Args:
        vectors: ``[items, d]`` unit vectors.
        most: the nearest instead of the mean.
    """

    def score(past: Sequence[int]) -> Array:
        if not past:
            return np.zeros(len(vectors), np.float32)
        own = vectors[list(past)]
        found = (vectors @ own.T).max(axis=1) if most else vectors @ own.mean(axis=0)
        return np.asarray(found, np.float32)

    return score


def tf_idf(texts: Sequence[str], seen: Sequence[bool] | None = None, fewest: int = 2, most: int | None = None) -> Array:
    """Unit tf-idf vectors of words ``[n, words]`` (Salton and Buckley 1988).

    Args:
        texts: n texts.
        seen: which of them the vocabulary and its weights are counted on; None = all.
        fewest: words of fewer of these texts are left out.
        most: so many words are kept, those of the most texts; None = all.
    """
    counts = [Counter(_WORD.findall(text.lower())) for text in texts]
    counted = [count for row, count in enumerate(counts) if seen is None or seen[row]]
    frequency = Counter(word for count in counted for word in count)
    common = {word for word, _ in frequency.most_common(most)}
    words = [word for word, times in frequency.items() if times >= fewest and word in common]
    place = {word: column for column, word in enumerate(words)}
    idf = np.array([math.log((1 + len(counted)) / (1 + frequency[word])) for word in words], np.float32)
    matrix = np.zeros((len(texts), len(words)), np.float32)
    for row, count in enumerate(counts):
        for word, times in count.items():
            if word in place:
                matrix[row, place[word]] = times
    return unit(matrix * idf)
