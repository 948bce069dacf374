"""Uses: what a car is good for; sellers write about them and shoppers look for them."""

from __future__ import annotations

from datetime import datetime

from sidetower.world.offers import Offer

_CITY = {"mini", "small"}
_ROOMY = {"mpv", "compact mpv", "suv", "large suv", "mid"}
_LONG_WAYS = {"mid", "executive"}
_OFF_ROAD = {"off-road", "pickup"}


def uses(offer: Offer, now: datetime) -> frozenset[str]:
    """Every use that the car fits.

    They are city, first, family, seven, dog, camp, tow, commute, electric, hybrid, plugin, sport, open, luxury,
    offroad, work and winter; allround is a car that fits none of them.
    """
    model, age = offer.model, offer.age(now)
    fuels = {"electric": "electric", "hybrid": "hybrid", "plug-in hybrid": "plugin"}
    fits = {
        "city": model.segment in _CITY and model.body == "hatchback",
        "first": model.segment in _CITY
        and offer.engine.fuel != "electric"
        and offer.price < 8_000
        and offer.engine.power < 80
        and age > 3,
        "family": (model.segment in _ROOMY or model.body == "estate") and model.segment != "sports",
        "seven": model.seats >= 7,
        "dog": "dog guard" in offer.equipment,
        "camp": model.body == "camper",
        "tow": "towbar" in offer.equipment and model.body != "camper",
        "commute": model.segment in _LONG_WAYS and offer.engine.fuel == "diesel",
        "sport": _sporting(offer),
        "open": model.body == "convertible",
        "luxury": model.segment in {"luxury", "executive"} and age < 12,
        "offroad": model.segment in _OFF_ROAD,
        "work": model.segment == "work van",
        "winter": offer.engine.all_wheel and model.body in {"suv", "estate", "hatchback"} and model.segment != "sports",
    }
    named = {use for use, holds in fits.items() if holds}
    if offer.engine.fuel in fuels:
        named.add(fuels[offer.engine.fuel])
    return frozenset(named or {"allround"})


def _sporting(offer: Offer) -> bool:
    if offer.engine.fuel == "electric" or offer.model.body in {"suv", "van", "pickup"}:
        return False
    return offer.model.segment == "sports" or (offer.engine.fuel == "petrol" and offer.engine.power >= 175)
