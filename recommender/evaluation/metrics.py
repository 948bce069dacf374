"""Metrics of rankings over all that could be ranked: no sampled negatives, ties settled blind to the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidQuery

#: Numbers of any precision.
Numbers = NDArray[Any]
Rows = NDArray[np.int64]

#: Depth of NDCG, of the short recall and of the reciprocal rank.
DEPTH: Final = 10
#: Depth of the long recall.
DEEP: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class RankingMetrics:
    """One number for each case (a user, a query), in the order of the cases."""

    #: ``[cases]``, normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen, TOIS 2002).
    ndcg: Numbers
    #: ``[cases]``, share of the relevant items among the first ten.
    recall: Numbers
    #: ``[cases]``, the same among the first twenty.
    recall_deep: Numbers
    #: ``[cases]``, one by the rank of the first relevant item, 0 beyond the tenth.
    reciprocal_rank: Numbers

    def columns(self) -> dict[str, Numbers]:
        """``[cases]`` each, by the name that people use."""
        return {
            f"NDCG@{DEPTH}": self.ndcg,
            f"recall@{DEPTH}": self.recall,
            f"recall@{DEEP}": self.recall_deep,
            f"MRR@{DEPTH}": self.reciprocal_rank,
        }

    def means(self) -> dict[str, float]:
        """The mean over the cases, by the same names."""
        return {name: float(column.mean()) for name, column in self.columns().items()}

    def of(self, chosen: Numbers) -> RankingMetrics:
        """The figures of these cases."""
        return RankingMetrics(*(getattr(self, name)[chosen] for name in self.__slots__))

    @classmethod
    def joined(cls, parts: Sequence[RankingMetrics]) -> RankingMetrics:
        """The figures of several lists of cases as those of one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def tie_order(ids: Sequence[str]) -> Rows:
    """``[n]`` A fixed order of these ids that says nothing about them: their place among their SHA-1 hashes."""
    digests = [hashlib.sha1(id_.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest() for id_ in ids]
    order = sorted(range(len(ids)), key=lambda row: (digests[row], ids[row]))
    places = np.empty(len(ids), np.int64)
    places[order] = np.arange(len(ids))
    return places


def ranking(scores: Numbers, ties: Rows, hidden: Collection[int] = (), depth: int | None = None) -> Rows:
    """The rows by falling score, equal scores by their place in `ties`.

    Args:
        scores: ``[n]``.
        ties: ``[n]`` from `tie_order`.
        hidden: rows that are not ranked (what the person already has).
        depth: how many rows to return; None = all.

    Raises:
        InvalidQuery: a score is no number. (A ranking of NaN is whatever the sort makes of it.)
    """
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise InvalidQuery("scores", expected="numbers", got="NaN", fix="Repair the features or the network.")
    rows = np.arange(len(scores))
    if len(hidden):
        rows = np.delete(rows, list(hidden))
    if depth is not None and depth < len(rows):
        # Everything that reaches the score of the last place, so that its ties are settled like all others.
        last = np.partition(-scores[rows], depth - 1)[depth - 1]
        rows = rows[-scores[rows] <= last]
    order = np.lexsort((ties[rows], -scores[rows]))
    return np.asarray(rows[order][:depth], np.int64)


def judge(rankings: Sequence[Sequence[int]], relevant: Sequence[Collection[int]]) -> RankingMetrics:
    """How well each ranking brings its relevant rows to the front; all of them weigh the same.

    Args:
        rankings: rows best first, to a depth of twenty or until there are no more.
        relevant: for each ranking its relevant rows, at least one.

    Raises:
        InvalidQuery: a case without a relevant row.
    """
    columns: list[tuple[float, float, float, float]] = []
    for number, (rows, wanted) in enumerate(zip(rankings, relevant, strict=True)):
        if not wanted:
            raise InvalidQuery(
                f"case {number}", expected="a relevant item", got="none", fix="Leave out cases without an answer."
            )
        hits = np.isin(np.asarray(rows[:DEEP], np.int64), list(wanted))
        gain = float((hits[:DEPTH] * _discounts(len(hits[:DEPTH]))).sum())
        best = float(_discounts(min(DEPTH, len(wanted))).sum())
        first = np.flatnonzero(hits[:DEPTH])
        columns.append(
            (
                gain / best,
                float(hits[:DEPTH].sum()) / len(wanted),
                float(hits.sum()) / len(wanted),
                1.0 / float(first[0] + 1) if len(first) else 0.0,
            )
        )
    table = np.array(columns, np.float64).reshape(-1, 4)
    return RankingMetrics(*table.T)


def judge_graded(rankings: Sequence[Sequence[int]], grades: Sequence[Numbers]) -> RankingMetrics:
    """As `judge`, where some rows are more relevant than others: a grade g gains 2^g - 1 (Burges et al., ICML 2005).

    Args:
        rankings: all rows of each case, best first.
        grades: ``[n]`` for each ranking, 0 = not relevant, at least one above 0.

    Raises:
        InvalidQuery: a case without a relevant row.
    """
    found = judge(rankings, [np.flatnonzero(one > 0).tolist() for one in grades])
    gains = [np.exp2(one) - 1 for one in grades]
    got = [_cumulated(gain[np.asarray(rows, np.int64)]) for rows, gain in zip(rankings, gains, strict=True)]
    best = [_cumulated(np.sort(gain)[::-1]) for gain in gains]
    return replace(found, ndcg=np.array(got) / np.array(best))


def pair_accuracy(scores: Numbers, grades: Numbers, apart: float = 0.0) -> float | None:
    """The share of pairs of unequal grade that the scores put in the right order; a tie counts half.

    Args:
        scores: ``[n]``.
        grades: ``[n]``, greater is better.
        apart: grades of a pair differ by at least this much.

    Returns:
        None when there is no such pair.
    """
    better = grades[:, np.newaxis] - grades[np.newaxis, :]
    wanted = (better > 0) & (better >= apart)
    if not wanted.any():
        return None
    ahead = np.sign(scores[:, np.newaxis] - scores[np.newaxis, :])[wanted]
    return float((ahead + 1).mean() / 2)


def _cumulated(gains: Numbers) -> float:
    """Discounted cumulative gain of the first ten."""
    return float((gains[:DEPTH] * _discounts(len(gains[:DEPTH]))).sum())


def _discounts(count: int) -> Numbers:
    return 1 / np.log2(np.arange(2, count + 2))
