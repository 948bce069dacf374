"""Cases: what each person is known to have done, and what a ranking is asked to find of the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.events import Event
from domain.vectors import Array
from recommender.evaluation.metrics import DEEP, RankingMetrics, Rows, judge, ranking
from recommender.evaluation.splits import hide_share, id_hash, is_reported

#: Share of a person's items that are asked for where the split is by people alone.
HIDDEN_SHARE: Final = 0.2
#: Percent of the other people that baselines are tuned on.
TUNING_PERCENT: Final = 15


@dataclass(frozen=True, slots=True)
class Act:
    """The newest thing that a person did with one item."""

    #: Row of the item.
    row: int
    action: str
    #: Seconds since 1970.
    at: float


@dataclass(frozen=True, slots=True)
class Case:
    """One question: of all items but those that the person already has, bring what they took next to the front."""

    person: str
    #: What is known, newest first, each item once.
    past: tuple[Act, ...]
    #: Rows that are asked for, at least one.
    wanted: frozenset[int]
    #: Seconds since 1970 at which it is asked.
    now: float = 0.0

    @property
    def rows(self) -> list[int]:
        """Rows of the past, newest first."""
        return [act.row for act in self.past]


#: Rows for a case, best first, past ones left out, at least `DEEP` and those that are wanted where there are so many.
Order = Callable[[Case], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Split:
    """What the people of one tenant did with the items of one kind, in parts that share nobody."""

    #: Rows of everybody who may be learnt from, those of `tuning` included.
    known: Mapping[str, tuple[int, ...]]
    #: Of some of them: what baselines are tuned on, counted on the others.
    tuning: list[Case]
    #: Of everybody else: what is reported.
    reported: list[Case]


def split_people(
    events: Iterable[Event], row_of: Mapping[str, int], counts: Callable[[str], bool], since: float | None = None
) -> Split:
    """People in two parts by a hash of their ids, 15 % of them reported.

    Of the reported people a fifth of the items is asked for, chosen by hash; with `since`, the items that they came to
    at or after that moment, and nobody is learnt from beyond it.

    Args:
        events: of one tenant and kind; those on other items are left out.
        row_of: rows of the items by id.
        counts: whether an action says anything about taste.
        since: seconds since 1970.
    """
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.object_id in row_of and counts(event.action_name):
            told[event.user_id].append(event)
    now = max((one.timestamp for some in told.values() for one in some), default=0.0)
    known: dict[str, tuple[int, ...]] = {}
    tuning: list[Case] = []
    reported: list[Case] = []
    ids = {row: id_ for id_, row in row_of.items()}
    for person in sorted(told):
        before = newest([one for one in told[person] if since is None or one.timestamp < since], row_of)
        if is_reported(person):
            case = (
                hidden_case(person, before, now, ids)
                if since is None
                else _later_case(person, before, told[person], row_of, since)
            )
            reported += [case] if case else []
        elif before:
            known[person] = tuple(act.row for act in before)
            if id_hash("tuning", person) % 100 < TUNING_PERCENT and (case := hidden_case(person, before, now, ids)):
                tuning.append(case)
    return Split(known, tuning, reported)


def newest(events: Iterable[Event], row_of: Mapping[str, int]) -> list[Act]:
    """One act for each item, the newest that stands for all; newest first."""
    found: dict[str, Event] = {}
    for event in sorted(events, key=lambda one: (-one.timestamp, one.object_id)):
        found.setdefault(event.object_id, event)
    return [Act(row_of[one.object_id], one.action_name, one.timestamp) for one in found.values()]


def hidden_case(person: str, acts: Sequence[Act], now: float, ids: Mapping[int, str]) -> Case | None:
    """A fifth of the items hidden, by hash; None for a person with fewer than two."""
    if len(acts) < 2:
        return None
    _, hidden = hide_share(person, [ids[act.row] for act in acts], HIDDEN_SHARE)
    gone = set(hidden)
    past = tuple(act for act in acts if ids[act.row] not in gone)
    return Case(person, past, frozenset(act.row for act in acts) - {act.row for act in past}, now)


def _later_case(
    person: str, before: Sequence[Act], events: Iterable[Event], row_of: Mapping[str, int], since: float
) -> Case | None:
    had = {act.row for act in before}
    later = {row_of[one.object_id] for one in events if one.timestamp >= since} - had
    return Case(person, tuple(before), frozenset(later), since) if before and later else None


def by_scores(scores: Callable[[Case], Array], ties: Rows, hidden: Collection[int] = ()) -> Order:
    """The full ranking by these scores ``[items]``, equal ones blind to the truth.

    Args:
        scores: of every item for a case.
        ties: from `metrics.tie_order`.
        hidden: rows that are not ranked, beside those of the past.
    """
    return lambda case: ranking(scores(case), ties, {*case.rows, *hidden}, DEEP + len(case.wanted)).tolist()


def judged(
    rankings: Sequence[Sequence[int]], cases: Sequence[Case], among: Collection[int] | None = None
) -> RankingMetrics:
    """The rankings of all cases, judged.

    Args:
        rankings: of each case, from an `Order`.
        cases: one for each ranking, with something wanted `among` these.
        among: only these rows are asked for: what else is wanted is taken out of the ranking; None = all.
    """
    if among is None:
        return judge(rankings, [case.wanted for case in cases])
    chosen = np.zeros(1 + max((max(case.wanted) for case in cases), default=0), bool)
    chosen[[row for row in among if row < len(chosen)]] = True
    wanted = [{row for row in case.wanted if chosen[row]} for case in cases]
    left = [
        [row for row in rows if row in asked or row not in case.wanted]
        for rows, case, asked in zip(rankings, cases, wanted, strict=True)
    ]
    return judge(left, wanted)
