"""A bundle measured where the right answer is known: tastes that have nothing to do with what the items are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from domain.events import Event
from domain.items import Item
from domain.vectors import Array
from recommender.bundle import Bundle
from recommender.evaluation.cases import Act, Case, Split, split_people
from recommender.evaluation.comparison import compare
from recommender.evaluation.fitted import fit_baselines
from recommender.evaluation.measure import ALL, COLD, OURS, SHORT, Measured, Place, measure, windowed_name
from recommender.evaluation.metrics import tie_order
from recommender.evaluation.served import Served

pytestmark = pytest.mark.training

PEOPLE, LIKED, WINDOW = 160, 8, 20


@pytest.fixture(scope="module")
def place(bundle: Bundle, mini_catalogue: list[Item]) -> Place:
    items = [item for item in mini_catalogue if item.key.kind == "listing" and item.key.tenant == "north"]
    return Place("north", items, bundle.embedder.embed(items))


@pytest.fixture(scope="module")
def split(place: Place, bundle: Bundle) -> Split:
    draw = random.Random(0)
    events = [
        Event("north", f"u{person}", "view", "listing", item.key.id, 1e9 - 1e4 * age)
        for person in range(PEOPLE)
        for age, item in enumerate(draw.sample(list(place.items)[person % 2 :: 2], LIKED))
    ]
    row_of = {item.key.id: row for row, item in enumerate(place.items)}
    return split_people(events, row_of, bundle.counts)


@pytest.fixture(scope="module")
def measured(bundle: Bundle, place: Place, split: Split) -> Measured:
    return measure(bundle, place, split, WINDOW, lambda *_: None)


def test_what_only_others_know_is_found_by_the_baseline_that_counts_others(measured: Measured) -> None:
    told = compare(ALL, measured.slices[ALL], OURS, (windowed_name(WINDOW),))
    assert told.best in {"EASE", "ItemKNN"}
    assert told.winner == told.best
    # Of the 80 items 40 are of the right taste, 8 of which are known: blind ranking would find 10 of 72.
    assert told.methods["EASE"]["recall@10"].value > 1.5 * 10 / 72


def test_every_method_answers_every_case(measured: Measured, split: Split) -> None:
    names = {OURS, windowed_name(WINDOW), "encoder k-NN", "item vectors k-NN", "popularity", "TF-IDF k-NN"}
    assert set(measured.slices[ALL]) == names | {"ItemKNN", "EASE"}
    assert {len(one.ndcg) for one in measured.slices[ALL].values()} == {len(split.reported)} == {len(measured.window)}


def test_slices_without_a_case_are_not_told(measured: Measured) -> None:
    assert SHORT not in measured.slices  # everybody's history has six items or more
    assert COLD not in measured.slices  # and every item about 13 people


def test_tenants_are_joined_and_a_method_that_one_lacks_is_left_out(measured: Measured) -> None:
    fewer = Measured({ALL: {name: one for name, one in measured.slices[ALL].items() if name != "EASE"}}, np.zeros(3))
    joined = Measured.joined([measured, fewer])
    assert "EASE" not in joined.slices[ALL]
    assert len(joined.slices[ALL][OURS].ndcg) == 2 * len(measured.slices[ALL][OURS].ndcg)
    assert len(joined.window) == len(measured.window) + 3


def test_scores_are_those_of_the_networks(bundle: Bundle, place: Place, split: Split) -> None:
    case = split.reported[0]
    rows, ages = case.rows, [case.now - act.at for act in case.past]
    user = bundle.user_tower.embed(bundle.history(place.vectors[rows], ["view"] * len(rows), ages), None)
    expected = bundle.scorer.score(None, user, place.vectors, np.zeros((len(place.items), 0), np.float32))
    found = Served(bundle, place.items, place.vectors).scores(case)
    np.testing.assert_allclose(found, expected.gate * expected.personal, atol=1e-6)


def test_the_window_is_what_is_nearest_to_the_person(bundle: Bundle, place: Place, split: Split) -> None:
    served, case = Served(bundle, place.items, place.vectors), split.reported[0]
    ties = tie_order([item.key.id for item in place.items])
    found = served.windowed(WINDOW, ties)(case)
    scores: Array = served.scores(case)
    # Bundle zero's personal score rises with the nearness to the person's vector.
    rest = [row for row in np.argsort(-scores, kind="stable") if row not in case.rows]
    assert set(found) == set(rest[:WINDOW])
    assert served.windowed(WINDOW, ties)(Case("nobody", (), frozenset({1}))) == []


def test_only_the_newest_events_that_say_something_are_read(bundle: Bundle, place: Place) -> None:
    served = Served(bundle, place.items, place.vectors)
    acts = tuple(Act(row, "view", 100.0 - row) for row in range(60))
    shown = Act(70, "impression", 200.0)
    newest, all_of_them = Case("p", acts[:50], frozenset({61})), Case("p", (shown, *acts), frozenset({61}))
    np.testing.assert_array_equal(served.scores(newest), served.scores(all_of_them))


def test_many_items_have_no_ease(place: Place, split: Split) -> None:
    ids = [item.key.id for item in place.items]
    words = np.eye(len(ids), dtype=np.float32)
    few = fit_baselines(ids, words, split.known, split.tuning, tie_order(ids))
    many = fit_baselines(ids, words, split.known, split.tuning, tie_order(ids), ease_items=10)
    assert set(few.rankers) - set(many.rankers) == {"EASE"}
    past = split.reported[0].rows
    assert np.corrcoef(many.rankers["ItemKNN"](past), few.rankers["ItemKNN"](past))[0, 1] > 0.9
