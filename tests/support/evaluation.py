"""A made-up evaluation, for what is made of it."""

from __future__ import annotations

import numpy as np

from domain.items import Item, ItemKey
from recommender.evaluation.comparison import compare
from recommender.evaluation.intervals import Interval
from recommender.evaluation.item_map import map_items
from recommender.evaluation.metrics import RankingMetrics
from recommender.evaluation.platt import Bin, Reliability
from sidetower.evaluating import Evaluation, PeopleEvaluation, Question
from sidetower.search_evaluation import SearchEvaluation

#: What no page may take as markup.
HOSTILE = '<script>alert(1)</script> & "friends"'


def evaluation(cases: int = 60) -> Evaluation:
    """The bundle is better on all cases and worse on cold ones."""
    rng = np.random.default_rng(0)

    def figures(mean: float) -> RankingMetrics:
        column = np.clip(mean + rng.normal(0, 0.05, cases), 0, 1)
        return RankingMetrics(column, column * 0.9, column, column)

    everybody = {"bundle": figures(0.5), "bundle, best of 200": figures(0.4), "EASE": figures(0.3)}
    cold = {"bundle": figures(0.1), "bundle, best of 200": figures(0.1), "EASE": figures(0.3)}
    items = [
        Item(ItemKey("north", "listing", f"i{number}"), 0, texts={"title": f"{HOSTILE} {number}"}, categories=groups)
        for number in range(40)
        for groups in ({"make": (f"make {number % 3}",)} if number % 4 else {},)
    ]
    people = PeopleEvaluation(
        question=Question(),
        comparisons=[
            compare(name, found, "bundle", ("bundle, best of 200",))
            for name, found in (("all", everybody), (f"tenant {HOSTILE}", cold))
        ],
        window_recall=Interval(0.6, 0.5, 0.7),
        tuned={"north": {"EASE ridge per 1,000 people": 20.0}},
        doubts=["it learnt from who is asked"],
    )
    asked = {"engine order": figures(0.4), "BM25": figures(0.3), "bundle": figures(0.6)}
    bins = (Bin(50, 0.1, 0.05), Bin(50, 0.8, 0.9))
    searches = SearchEvaluation([compare("searches", asked, "bundle")], Reliability(bins, 0.075, 0.85, 0.5))
    return Evaluation(
        bundle="bundle-0123456789abcdef",
        space="0123456789abcdef",
        kind="listing",
        items=len(items),
        people=people,
        searches=searches,
        training={"loss": [3.0, 2.0, 1.5], "held_out": [0.2, 0.4, 0.3], "trained_from": "bundle-0"},
        map=map_items(items, rng.standard_normal((len(items), 128)).astype(np.float32), "title"),
    )
