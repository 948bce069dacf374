"""Fitted baselines: tuned on a part of the people who may be learnt from, then counted on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.items import Item
from domain.vectors import Array
from recommender.evaluation.baselines import (
    Judge,
    Ranker,
    content_knn,
    from_weights,
    popularity,
    tuned_ease,
    tuned_item_knn,
)
from recommender.evaluation.cases import Case, by_scores, judged
from recommender.evaluation.metrics import Rows
from recommender.neighbours import EASE_ITEMS, MOST_CELLS, SIGNALS, Interactions, ease, find_neighbours, item_knn

#: Cases that baselines are tuned on at most.
TUNING_CASES: Final = 400


@dataclass(frozen=True, slots=True)
class Baselines:
    """Rankers by name, and what tuning chose for them."""

    rankers: Mapping[str, Ranker]
    tuned: Mapping[str, float | str]


def fit_baselines(
    ids: Sequence[str],
    words: Array,
    known: Mapping[str, Sequence[int]],
    tuning: Sequence[Case],
    ties: Rows,
    *,
    ease_items: int = EASE_ITEMS,
) -> Baselines:
    """Popularity, TF-IDF k-NN, ItemKNN and EASE (Steck 2019); beyond so many items no EASE and an untuned ItemKNN.

    Args:
        ids: of all items that are ranked, by row.
        words: their tf-idf vectors ``[items, words]``.
        known: the rows of everybody who may be learnt from, by name.
        tuning: cases of some of these people.
        ties: from `metrics.tie_order`.
        ease_items: for EASE and a tuned ItemKNN there are at most so many.
    """
    pairs = Interactions.of(list(known.values()), len(ids))
    judge = judge_by(tuning[:TUNING_CASES], ties)
    most = max((False, True), key=lambda one: judge(content_knn(words, one)))
    rankers: dict[str, Ranker] = {"popularity": popularity(pairs), "TF-IDF k-NN": content_knn(words, most)}
    tuned: dict[str, float | str] = {"TF-IDF k-NN": "nearest" if most else "mean"}
    if len(ids) > ease_items or pairs.people * pairs.items > MOST_CELLS or not len(pairs.item):
        neighbours = find_neighbours(ids, pairs, ease_items=0)
        column = SIGNALS.index("neighbours.sum")
        rankers["ItemKNN"] = lambda past: np.asarray(neighbours.columns(past)[:, column], np.float32)
        return Baselines(rankers, tuned)
    tuned_on = {case.person for case in tuning}
    early = pairs.only(np.array([person not in tuned_on for person in known], bool))
    matrix = pairs.dense()
    shrink, ridge = tuned_item_knn(early, judge), tuned_ease(early, judge)
    rankers["ItemKNN"] = from_weights(item_knn(matrix, shrink))
    rankers["EASE"] = from_weights(ease(matrix, ridge * len(matrix) / 1_000))
    return Baselines(rankers, tuned | {"ItemKNN shrinkage": shrink, "EASE ridge per 1,000 people": ridge})


def judge_by(cases: Sequence[Case], ties: Rows) -> Judge:
    """NDCG@10 plus recall@10 on these cases; 0 where there are none."""

    def judge(ranker: Ranker) -> float:
        if not cases:
            return 0.0
        order = by_scores(lambda case: ranker(case.rows), ties)
        found = judged([order(case) for case in cases], cases)
        return float(found.ndcg.mean() + found.recall.mean())

    return judge


def item_words(item: Item) -> str:
    """Texts and attributes of an item for tf-idf, a value of an attribute as one word."""
    return " ".join([*item.texts.values(), *attribute_words(item)])


def attribute_words(item: Item) -> list[str]:
    """Each value of an attribute as one word."""
    return [
        f"{name}_{''.join(filter(str.isalnum, value))}" for name in item.categories for value in item.categories[name]
    ]
