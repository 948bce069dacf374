"""Shoppers: people with a taste, and what they did in the shops."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

import numpy as np

from domain.events import Event
from sidetower.world.listings import SHOPS, Listing
from sidetower.world.prose import dice
from sidetower.world.tastes import Stock, Taste, taste

#: How many shoppers each shop has. Both number them alike: equal ids of two tenants are two people.
SHOPPERS: Final = {"autohaus": 250, "roadster": 150}
_DAY: Final = 86_400.0
#: Events lie within this many days before the world's present.
_DAYS: Final = 60
_COLD, _ECLECTIC = 0.1, 0.12
#: How sharply taste decides: most of the time, when looking left and right, and on a whim.
_SHARPNESS: Final = (4.0, 1.2, 0.0)
#: How often each of the three happens, added up, while browsing and after a search.
_BROWSING, _SEARCHING = (0.72, 0.94), (0.92, 0.99)
#: How much the crowd's favourites draw.
_CROWD: Final = 0.45
#: Fewer listings than this that fit leave a taste nothing to choose from.
_ENOUGH: Final = 15
#: Chances of each hour of the day, from 6 to 23.
_HOURS: Final = (1, 2, 2, 2, 2, 2, 4, 4, 2, 2, 2, 3, 4, 5, 7, 8, 6, 2)


@dataclass(frozen=True, slots=True)
class Shopper:
    """One person of one shop."""

    user_id: str
    tenant: str
    #: In words, for display.
    taste: str
    #: The same as rules; eclectic people have two.
    tastes: tuple[Taste, ...]
    #: Oldest first; at most two for somebody new.
    events: tuple[Event, ...]


def shoppers(seed: int, listings: Sequence[Listing], now: datetime) -> list[Shopper]:
    """Every shopper, shop by shop, by id.

    Args:
        seed: the world's.
        listings: of all shops; shoppers open only those that everyone may see, and only once they are online.
        now: the world's present; every event is older.
    """
    return [
        _shopper(f"shopper-{number:03}", shop, stock, now.timestamp(), dice(seed, shop, "shopper", number))
        for shop, stock in ((shop, Stock(one for one in listings if one.offer.tenant == shop)) for shop in SHOPS)
        for number in range(1, SHOPPERS[shop] + 1)
    ]


def _shopper(user_id: str, shop: str, stock: Stock, now: float, random: Random) -> Shopper:
    lot = random.random()
    tastes = [_served(shop, stock, random)]
    if lot < _ECLECTIC:
        tastes.append(_served(shop, stock, random))
    words = "; also ".join(dict.fromkeys(one.words for one in tastes))
    events = list(_events(user_id, stock, tastes, now, random))
    if lot > 1 - _COLD:
        words += " (new here)"
        events = events[-random.randint(0, 2) or len(events) :]
    return Shopper(user_id, shop, words, tuple(tastes), tuple(events))


def _served(shop: str, stock: Stock, random: Random) -> Taste:
    """A taste that the shop has something for."""
    while True:
        found = taste(shop, random)
        if int(found.fits(stock).sum()) >= _ENOUGH:
            return found


def _events(user_id: str, stock: Stock, tastes: Sequence[Taste], now: float, random: Random) -> Iterator[Event]:
    visits = [
        _start(now, day, random) for day in sorted(random.sample(range(1, _DAYS), random.randint(2, 9)), reverse=True)
    ]
    draws = [_Draw(one, stock) for one in tastes]
    seen: set[int] = set()
    for number, start in enumerate(visits):
        yield from _visit(user_id, f"{user_id}-{number}", random.choice(draws), start, seen, random)


def _visit(user_id: str, session_id: str, draw: _Draw, start: float, seen: set[int], random: Random) -> Iterator[Event]:
    query = random.choice(draw.wanted.queries) if random.random() < 0.55 else ""
    moment = start
    for place in _opened(draw, start, bool(query), seen, random):
        offer = draw.stock.listings[place].offer
        for action in _actions(bool(query), draw.fits[place], random):
            yield Event(
                tenant=offer.tenant,
                user_id=user_id,
                action_name=action,
                object_kind="listing",
                object_id=offer.id,
                timestamp=round(moment, 3),
                session_id=session_id,
                user_query=query if action == "click" else "",
            )
            moment += random.uniform(4, 50)
        moment += random.uniform(5, 120)


def _start(now: float, days_ago: int, random: Random) -> float:
    """When a visit begins: at an hour when people are awake."""
    midnight = now // _DAY * _DAY - days_ago * _DAY
    return midnight + random.choices(range(6, 24), _HOURS)[0] * 3_600 + random.uniform(0, 2_000)


class _Draw:
    """Draws listings by taste.

    Args:
        wanted: the taste.
        stock: what there is.
    """

    def __init__(self, wanted: Taste, stock: Stock) -> None:
        self.wanted, self.stock = wanted, stock
        self.fits: list[bool] = wanted.fits(stock).tolist()
        self.listed: list[float] = stock.listed.tolist()
        crowd = (1 + stock.views) ** _CROWD
        appeal = wanted.appeal(stock)
        self._sums: list[list[float]] = [
            np.cumsum(np.exp(sharpness * appeal) * crowd).tolist() for sharpness in _SHARPNESS
        ]

    def place(self, moods: Sequence[float], random: Random) -> int:
        """Place of one listing; moods are the running sums of the chances of each sharpness."""
        sums = self._sums[bisect(moods, random.random())]
        return min(bisect(sums, random.random() * sums[-1]), len(sums) - 1)


def _opened(draw: _Draw, start: float, searched: bool, seen: set[int], random: Random) -> Iterator[int]:
    """Places of the listings opened in one visit: online at that time, mostly new to the person."""
    count = random.randint(2, 9)
    for _ in range(6 * count):
        place = draw.place(_SEARCHING if searched else _BROWSING, random)
        known = place in seen and random.random() < 0.55
        if draw.listed[place] < start and not known:
            seen.add(place)
            count -= 1
            yield place
        if not count:
            return


def _actions(searched: bool, fits: bool, random: Random) -> list[str]:
    """What happens on one listing: opened from results (click) or while browsing (view), then perhaps more."""
    actions = ["click", "view"] if searched else ["view"]
    if random.random() < (0.22 if fits else 0.03):
        actions.append("add_to_favorites")
        if random.random() < 0.3:
            actions.append("contact")
    return actions
