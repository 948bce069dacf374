"""Who is asked about, who may be learnt from, and what is asked."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from domain.events import Event
from recommender.evaluation.cases import Act, Case, by_scores, judged, split_people
from recommender.evaluation.metrics import tie_order
from recommender.evaluation.splits import is_reported

ITEMS = {f"i{number}": number for number in range(10)}
PEOPLE = [f"p{number}" for number in range(200)]
#: What everybody did, a second apart.
DID = [f"i{number}" for number in range(8)]


def event(person: str, item: str, at: float, action: str = "click") -> Event:
    return Event("north", person, action, "listing", item, at)


def telling(action: str) -> bool:
    return action != "impression"


EVERYTHING = [event(person, item, float(at)) for person in PEOPLE for at, item in enumerate(DID)]


def test_nobody_is_reported_on_and_learnt_from() -> None:
    split = split_people(EVERYTHING, ITEMS, telling)
    assert {case.person for case in split.reported} == {person for person in PEOPLE if is_reported(person)}
    assert set(split.known) == {person for person in PEOPLE if not is_reported(person)}
    assert {case.person for case in split.tuning} < set(split.known)
    assert split.tuning


def test_what_the_reported_people_do_changes_nothing_for_the_others() -> None:
    others = [one for one in EVERYTHING if not is_reported(one.user_id)]
    with_them, without = (split_people(some, ITEMS, telling) for some in (EVERYTHING, others))
    assert (with_them.known, with_them.tuning) == (without.known, without.tuning)
    assert without.reported == []


def test_a_fifth_is_hidden_and_the_rest_is_the_past_newest_first() -> None:
    for case in split_people(EVERYTHING, ITEMS, telling).reported:
        assert len(case.wanted) == round(len(DID) / 5)
        assert case.wanted.isdisjoint(case.rows)
        assert case.wanted | set(case.rows) == {ITEMS[item] for item in DID}
        assert [act.at for act in case.past] == sorted((act.at for act in case.past), reverse=True)
        assert case.now == len(DID) - 1


def test_since_a_moment_what_is_new_is_asked_for_and_nothing_later_is_known() -> None:
    again = [event(person, "i0", 7.5) for person in PEOPLE]
    split = split_people([*EVERYTHING, *again], ITEMS, telling, since=6.0)
    for case in split.reported:
        assert case.rows == [5, 4, 3, 2, 1, 0]
        assert case.wanted == {6, 7}  # i0 again is nothing new
        assert case.now == 6.0
    assert set(split.known.values()) == {(5, 4, 3, 2, 1, 0)}
    assert all(case.wanted < {0, 1, 2, 3, 4, 5} for case in split.tuning)


def test_what_says_nothing_and_unknown_items_are_left_out_and_of_one_item_the_newest_counts() -> None:
    person = next(name for name in PEOPLE if not is_reported(name))
    told = [
        event(person, "i1", 1.0),
        event(person, "i2", 2.0, "impression"),
        event(person, "gone", 3.0),
        event(person, "i3", 4.0),
        event(person, "i1", 5.0, "purchase"),
    ]
    assert split_people(told, ITEMS, telling).known == {person: (1, 3)}


def test_who_did_one_thing_alone_is_asked_nothing() -> None:
    assert split_people([event(person, "i1", 1.0) for person in PEOPLE], ITEMS, telling).reported == []


def test_a_ranking_leaves_the_past_out_and_is_judged_among_what_is_asked_for() -> None:
    case = Case("p", (Act(0, "click", 0.0),), frozenset({2, 3}))
    scores = np.array([9, 1, 5, 4, 6], np.float32)
    order = by_scores(lambda _: scores, tie_order(list("abcde")))
    assert order(case) == [4, 2, 3, 1]
    everything = judged([order(case)], [case])
    ideal = 1 + 1 / log2(3)
    assert everything.ndcg.tolist() == pytest.approx([(1 / log2(3) + 1 / log2(4)) / ideal])
    # Without row 2, which is not asked for, row 3 is second.
    among = judged([order(case)], [case], among={0, 3})
    assert among.ndcg.tolist() == pytest.approx([1 / log2(3)])
    assert among.recall.tolist() == [1.0]
