"""Tastes: what a shopper wants, stated once in words and once as a rule that can be checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidetower.world.listings import Listing
from sidetower.world.prose import resource, said

Marks = NDArray[np.bool_]
Numbers = NDArray[np.float64]

#: How much each wish counts when it is met.
_WEIGHTS: Final = {"use": 1.6, "segment": 1.4, "body": 1.2, "fuel": 1.4, "make": 1.3}
#: How much is lost when the price is off by a factor of e.
_PRICE_WEIGHT: Final = 4.0


class Stock:
    """A shop's public listings as columns.

    Args:
        listings: one shop's; those for dealers only are left out.
    """

    def __init__(self, listings: Iterable[Listing]) -> None:
        self.listings: Sequence[Listing] = [one for one in listings if not one.offer.trade_only]
        self.prices: Numbers = np.array([one.offer.price for one in self.listings], dtype=np.float64)
        #: Seconds since 1970 when each came online.
        self.listed: Numbers = np.array([one.offer.listed.timestamp() for one in self.listings])
        self.views: Numbers = np.array([one.document["views"] for one in self.listings], dtype=np.float64)
        self._marks: dict[tuple[str, str], Marks] = {}
        for place, one in enumerate(self.listings):
            for mark in _marks(one):
                self._marks.setdefault(mark, np.zeros(len(self.listings), dtype=np.bool_))[place] = True

    def holds(self, name: str, values: Iterable[str]) -> Marks:
        """``[n]`` whether the listing has one of the values; name is use, segment, body, fuel or make."""
        held: Marks = np.zeros(len(self.listings), dtype=np.bool_)
        for value in sorted(values):
            held |= self._marks.get((name, value), False)
        return held


def _marks(one: Listing) -> list[tuple[str, str]]:
    model = one.offer.model
    own = [("segment", model.segment), ("body", model.body), ("fuel", one.offer.engine.fuel), ("make", model.make)]
    return [*own, *(("use", use) for use in one.uses)]


@dataclass(frozen=True, slots=True)
class Taste:
    """What somebody looks for."""

    #: For display: "small electric city cars under 15,000".
    words: str
    #: Wishes by name (use, segment, body, fuel, make): one of the values of each has to be met.
    wishes: tuple[tuple[str, frozenset[str]], ...]
    #: Lowest and highest price in euros.
    prices: tuple[int, int]
    #: What they type into the search box.
    queries: tuple[str, ...]

    def fits(self, stock: Stock) -> Marks:
        """``[n]`` whether the listing meets every wish and the price."""
        fits: Marks = (stock.prices >= self.prices[0]) & (stock.prices <= self.prices[1])
        for name, values in self.wishes:
            fits &= stock.holds(name, values)
        return fits

    def appeal(self, stock: Stock) -> Numbers:
        """``[n]`` how much each listing appeals; 0 for one that meets every wish at a good price, less for others."""
        low, high = max(300, self.prices[0]), self.prices[1]
        off = np.maximum(np.log(low / stock.prices), 0) + np.maximum(np.log(stock.prices / high), 0)
        appeal: Numbers = -_PRICE_WEIGHT * off
        for name, values in self.wishes:
            appeal -= _WEIGHTS[name] * ~stock.holds(name, values)
        return appeal


def taste(shop: str, random: Random) -> Taste:
    """One shopper's taste, as common in that shop."""
    rows: list[dict[str, Any]] = resource("tastes")["taste"]
    row = random.choices(rows, [one["shops"][shop] for one in rows])[0]
    makes = random.choice(row["makes"]) if "makes" in row else []
    low, high = random.choice(row["prices"])
    slots = {"make": " or ".join(makes), "low": f"{low:,}", "high": f"{high:,}"}
    named = {"use": row.get("uses"), "segment": row.get("segments"), "body": row.get("bodies"),
             "fuel": row.get("fuels"), "make": makes}  # fmt: skip
    return Taste(
        words=said(row["words"], slots, random),
        wishes=tuple((name, frozenset(values)) for name, values in named.items() if values),
        prices=(low, high),
        queries=tuple(said(query, slots, random) for query in row["queries"]),
    )
