"""Splits depend on ids and times only."""

from __future__ import annotations

import hashlib

import pytest

from domain.events import Event
from recommender.evaluation.splits import by_time, fold, hide_share, is_cold, is_reported


def written_rule(text: str) -> int:
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8], 16)


def test_the_reported_part_is_that_of_the_written_rule() -> None:
    ids = range(2_000)
    expected = [written_rule(f"dev|{id_}") % 100 < 15 for id_ in ids]
    assert [is_reported(id_) for id_ in ids] == expected
    assert sum(expected) == pytest.approx(2_000 * 0.15, rel=0.15)


def test_the_cold_items_are_those_of_the_written_rule() -> None:
    expected = [written_rule(f"cold|{id_}") % 10 == 0 for id_ in range(500)]
    assert [is_cold(id_) for id_ in range(500)] == expected


@pytest.mark.parametrize(("items", "hidden"), [(1, 1), (2, 1), (5, 1), (7, 1), (8, 2), (100, 20)])
def test_a_fifth_is_hidden_and_at_least_one(items: int, hidden: int) -> None:
    shown, targets = hide_share("u", range(items), 0.2)
    assert len(targets) == hidden
    assert sorted(shown + targets) == list(range(items))


def test_what_is_hidden_does_not_depend_on_the_order_told_but_on_user_and_salt() -> None:
    first = hide_share("u", range(40), 0.5)
    assert hide_share("u", reversed(range(40)), 0.5) == first
    assert hide_share("v", range(40), 0.5) != first
    assert hide_share("u", range(40), 0.5, salt="other") != first


def test_folds_share_the_people_out() -> None:
    folds = [fold(user, 5) for user in range(1_000)]
    assert set(folds) == set(range(5))
    assert min(folds.count(one) for one in range(5)) > 1_000 / 5 * 0.7


def test_the_later_part_begins_with_a_moment_that_the_earlier_one_has_not() -> None:
    events = [Event("t", "u", "view", "item", str(n), timestamp=float(when)) for n, when in enumerate([1, 3, 2, 3, 4])]
    earlier, later = by_time(events, 0.4)
    # Two of five would be later; the third shares its moment with the first of them and goes along.
    assert [one.timestamp for one in earlier] == [1, 2]
    assert [one.timestamp for one in later] == [3, 3, 4]
    assert by_time(events, 0.0)[1] == []
