"""Measuring a bundle on what people did: it, and baselines that learnt from other people, on the same cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.items import Item
from domain.vectors import Array
from recommender.bundle import Bundle
from recommender.evaluation.baselines import Ranker, content_knn, tf_idf
from recommender.evaluation.cases import Case, Order, Split, by_scores, judged
from recommender.evaluation.fitted import fit_baselines, item_words
from recommender.evaluation.metrics import RankingMetrics, Rows, tie_order
from recommender.evaluation.served import Served

#: The scorer over all items.
OURS: Final = "bundle"
#: Items that fewer of those people had to do with are cold.
COLD_PEOPLE: Final = 5
#: Histories of at most so many items are short.
SHORT_HISTORY: Final = 3
#: Numbers of the tf-idf matrix at most: 400 MB.
TF_IDF_CELLS: Final = 100_000_000

ALL: Final = "all"
SHORT: Final = f"short histories (at most {SHORT_HISTORY} items)"
COLD: Final = f"cold items (fewer than {COLD_PEOPLE} people)"
HEAD: Final = "head items (half of all that was done)"
TAIL: Final = "tail items (the other half)"

#: Told which stage it is, how far it is and how far it goes.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The items of one tenant and kind."""

    tenant: str
    items: Sequence[Item]
    #: ``[items, 128]`` in the bundle's space.
    vectors: Array


@dataclass(frozen=True, slots=True)
class Measured:
    """What every method got on every case, by slice; joined over tenants."""

    slices: dict[str, dict[str, RankingMetrics]] = field(default_factory=dict)
    #: ``[cases]`` share of the wanted items that the window holds.
    window: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    #: What tuning chose, by tenant.
    tuned: dict[str, Mapping[str, float | str]] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        """The cases of all tenants together; a method counts that every tenant has."""
        found: dict[str, dict[str, RankingMetrics]] = {}
        for name in dict.fromkeys(name for part in parts for name in part.slices):
            having = [part.slices[name] for part in parts if name in part.slices]
            methods = [one for one in having[0] if all(one in other for other in having)]
            found[name] = {one: RankingMetrics.joined([other[one] for other in having]) for one in methods}
        windows = np.concatenate([np.zeros(0), *(part.window for part in parts)])
        return cls(found, windows, {tenant: one for part in parts for tenant, one in part.tuned.items()})


def windowed_name(window: int) -> str:
    """The name of the product's own way: retrieve so many, rank them."""
    return f"{OURS}, best of {window}"


def measure(bundle: Bundle, place: Place, split: Split, window: int, tell: Progress, *, tenants: int = 1) -> Measured:
    """Every method's figures on the reported cases of one tenant, by slice.

    Args:
        bundle: to be measured.
        place: what is ranked.
        split: who is learnt from, and who is asked about.
        window: items that the product retrieves before it ranks.
        tell: told about progress.
        tenants: with several, the tenant's own slice is reported as well.
    """
    ties = tie_order([item.key.id for item in place.items])
    served = Served(bundle, place.items, place.vectors)
    tell(f"fitting baselines of {place.tenant}", 0, 1)
    rankers, tuned = _baselines(bundle, place, split, ties)
    product = served.windowed(window, ties)
    orders: dict[str, Order] = {OURS: by_scores(served.scores, ties), windowed_name(window): product}
    orders |= {name: by_scores(partial(_by_rows, ranker), ties) for name, ranker in rankers.items()}
    rankings: dict[str, list[Sequence[int]]] = defaultdict(list)
    for done, case in enumerate(split.reported):
        tell(f"ranking for people of {place.tenant}", done, len(split.reported))
        for name, order in orders.items():
            rankings[name].append(order(case))
    product_rows = rankings[windowed_name(window)]
    shares = [
        len(case.wanted & set(rows)) / len(case.wanted) for case, rows in zip(split.reported, product_rows, strict=True)
    ]
    slices = {
        name: {method: judged([rows[one] for one in chosen], cases, among) for method, rows in rankings.items()}
        for name, chosen, among in _slices(split, len(place.items))
        if (cases := [split.reported[one] for one in chosen])
    }
    if tenants > 1 and ALL in slices:
        slices[f"tenant {place.tenant}"] = slices[ALL]
    return Measured(slices, np.array(shares), {place.tenant: tuned})


def _by_rows(ranker: Ranker, case: Case) -> Array:
    return ranker(case.rows)


def _baselines(
    bundle: Bundle, place: Place, split: Split, ties: Rows
) -> tuple[dict[str, Ranker], Mapping[str, float | str]]:
    words = tf_idf([item_words(item) for item in place.items], most=max(1, TF_IDF_CELLS // len(place.items)))
    ids = [item.key.id for item in place.items]
    fitted = fit_baselines(ids, words, split.known, split.tuning, ties)
    content = {
        "encoder k-NN": content_knn(bundle.features.text(place.items), most=False),
        "item vectors k-NN": content_knn(place.vectors, most=False),
    }
    return {**content, **fitted.rankers}, fitted.tuned


def _slices(split: Split, items: int) -> list[tuple[str, list[int], Collection[int] | None]]:
    """Name, places of the cases, and the rows that are asked for (None = all)."""
    people = np.bincount([row for rows in split.known.values() for row in rows], minlength=items)
    order = np.argsort(-people, kind="stable")
    half = int(np.searchsorted(np.cumsum(people[order]), people.sum() / 2)) + 1
    among = {
        COLD: set(np.flatnonzero(people < COLD_PEOPLE).tolist()),
        HEAD: set(order[:half].tolist()),
        TAIL: set(order[half:].tolist()),
    }
    cases = split.reported
    found: list[tuple[str, list[int], Collection[int] | None]] = [
        (ALL, list(range(len(cases))), None),
        (SHORT, [place for place, case in enumerate(cases) if len(case.past) <= SHORT_HISTORY], None),
    ]
    return found + [
        (name, [place for place, case in enumerate(cases) if case.wanted & rows], rows) for name, rows in among.items()
    ]
