"""Offers: one car on sale, its facts decided before a word is written about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import Final

from sidetower.world.cars import Engine, Model, models
from sidetower.world.equipment import equipment

#: Kilometres a year by class of car.
_KILOMETRES: Final = {
    "mini": 8_500, "small": 10_000, "compact": 13_000, "mid": 18_000, "executive": 20_500, "luxury": 16_000,
    "mpv": 14_500, "compact mpv": 13_000, "small suv": 12_500, "suv": 14_500, "large suv": 16_500, "roadster": 6_500,
    "sports": 8_000, "van": 18_000, "camper": 11_000, "work van": 21_000, "pickup": 15_000, "off-road": 11_500,
}  # fmt: skip
#: How common each class is in each shop.
_SHARES: Final = {
    "autohaus": {"roadster": 0.5, "sports": 0.35, "luxury": 0.4, "camper": 0.8, "work van": 0.7},
    "roadster": {"roadster": 5.0, "sports": 4.5, "luxury": 2.5, "off-road": 3.0, "camper": 1.8, "executive": 1.6,
                 "work van": 0.2, "compact mpv": 0.4, "mpv": 0.45, "mini": 0.7, "small": 0.7},
}  # fmt: skip
_CITIES: Final = {
    "autohaus": ("Hamburg", "Berlin", "München", "Köln", "Leipzig", "Nürnberg", "Stuttgart", "Hannover", "Bremen",
                 "Dresden", "Freiburg", "Kassel", "Rostock", "Münster", "Erfurt", "Augsburg", "Kiel", "Mainz"),
    "roadster": ("Amsterdam", "Utrecht", "Rotterdam", "Antwerp", "Ghent", "Liège", "Luxembourg", "Lille", "Metz",
                 "Strasbourg", "Lyon", "Copenhagen", "Aarhus", "Bruges", "Maastricht", "Groningen"),
}  # fmt: skip
_COLOURS: Final = {
    "black": 5, "grey": 5, "silver": 4, "white": 4.5, "blue": 3.5, "red": 2.2, "green": 0.8, "brown": 0.6,
    "beige": 0.4, "orange": 0.4, "yellow": 0.3,
}  # fmt: skip
#: Who writes, by shop.
_VOICES: Final = {
    "autohaus": {"dealer": 30, "broker": 12, "neat": 26, "chatty": 15, "terse": 17},
    "roadster": {"dealer": 26, "broker": 8, "neat": 20, "chatty": 11, "terse": 8, "fan": 27},
}
#: Classes that people fall in love with.
_LOVED: Final = {"roadster", "sports", "luxury", "camper", "off-road", "executive"}
TRADE: Final = frozenset({"dealer", "broker"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One car on sale."""

    tenant: str
    id: str
    model: Model
    engine: Engine
    #: First registration.
    year: int
    month: int
    #: Kilometres.
    mileage: int
    #: Euros.
    price: int
    gearbox: str
    colour: str
    trim: str
    equipment: tuple[str, ...]
    city: str
    #: Whose style the text has: dealer, broker, neat, chatty, terse or fan.
    voice: str
    #: Shown to dealers only.
    trade_only: bool
    #: When it came online and when it was last changed.
    listed: datetime
    updated: datetime
    #: Facts that are told but are no field: accident_free, full_book, garage, ...
    history: frozenset[str] = field(default_factory=frozenset)

    def age(self, now: datetime) -> float:
        """Years since the first registration."""
        return max(0.1, now.year - self.year + (now.month - self.month) / 12)


def offer(tenant: str, number: int, now: datetime, random: Random) -> Offer:
    """A plausible car on sale in this shop."""
    model = _model(tenant, now, random)
    engine = random.choice([one for one in model.engines if one.years[0] < now.year])
    year = _year(engine, now, random)
    month = random.randint(1, 12) if year < now.year else random.randint(1, max(1, now.month - 1))
    age = max(0.1, now.year - year + (now.month - month) / 12)
    mileage = _mileage(model, engine, age, random)
    voice = _voice(tenant, model, engine, age, random)
    listed = now - timedelta(seconds=random.expovariate(1 / (35 * 86_400)) % (150 * 86_400) + 7_200)
    history = _history(age, mileage, model, random)
    trade_only = voice in TRADE and random.random() < (0.3 if age > 11 else 0.12)
    return Offer(
        tenant=tenant,
        id=str(number),
        model=model,
        engine=engine,
        year=year,
        month=month,
        mileage=mileage,
        price=_price(model, engine, age, mileage, history, trade_only, random),
        gearbox=_gearbox(model, engine, year, random),
        colour=_colour(model, random),
        trim="" if model.segment == "sports" else random.choice(model.trims),
        equipment=equipment(model, engine, year, random),
        city=random.choice(_CITIES[tenant]),
        voice=voice,
        trade_only=trade_only,
        listed=listed,
        updated=listed + (now - listed) * random.random() ** 2,
        history=history,
    )


def _model(tenant: str, now: datetime, random: Random) -> Model:
    known, weights = _models(tenant, now.year)
    return random.choices(known, cum_weights=weights)[0]


@cache
def _models(tenant: str, year: int) -> tuple[list[Model], list[float]]:
    """The models that a shop has by that year, and their shares, added up."""
    known = [model for model in models() if any(engine.years[0] < year for engine in model.engines)]
    # Models that sell well are offered with many engines.
    return known, list(accumulate(_SHARES[tenant].get(one.segment, 1.0) * len(one.engines) for one in known))


def _year(engine: Engine, now: datetime, random: Random) -> int:
    years = range(engine.years[0], min(engine.years[1], now.year) + 1)
    ages = [now.year - year for year in years]
    weights = [0.6 if age < 1 else 1.0 if age < 9 else 0.75 if age < 13 else 0.45 if age < 17 else 0.25 for age in ages]
    return random.choices(years, weights)[0]


def _mileage(model: Model, engine: Engine, age: float, random: Random) -> int:
    a_year = _KILOMETRES[model.segment] * (1.25 if engine.fuel == "diesel" else 0.95)
    # People drive less once a car is old.
    driven = a_year * (age if age < 10 else 10 + (age - 10) * 0.45) * random.lognormvariate(0, 0.35)
    exact = min(driven, 390_000 - random.random() * 60_000)
    step = random.choice((1, 10, 100, 500, 1000))
    return max(10, round(exact / step) * step)


def _price(
    model: Model, engine: Engine, age: float, mileage: int, history: frozenset[str], trade_only: bool, random: Random
) -> int:
    new = model.price * engine.factor * 0.985 ** max(0.0, age - 2)
    expected = _KILOMETRES[model.segment] * (1.25 if engine.fuel == "diesel" else 0.95) * age
    worn = math.exp(-0.28 * (mileage - expected) / 100_000)
    kept: float = (0.95 if age < 1 else 0.92) * model.keep**age * worn
    if history & {"small_damage", "repaired_damage"}:
        kept *= 0.92
    if trade_only:
        kept *= 0.87
    exact = max(450.0, new * kept * random.lognormvariate(0, 0.07))
    step = 50 if exact < 5_000 else 100 if exact < 15_000 else 500
    price: int = max(step, round(exact / step) * step)
    return price + random.choice((0, 0, 0, -10, -1)) if exact > 2_000 else price


def _gearbox(model: Model, engine: Engine, year: int, random: Random) -> str:
    if engine.fuel in {"electric", "plug-in hybrid"} or (engine.fuel == "hybrid" and model.make in {"Toyota", "Ford"}):
        return "automatic"
    if model.segment in {"luxury", "executive", "large suv"}:
        return "automatic"
    likely = 0.08 + engine.power / 300 + max(0, year - 2010) * 0.015
    if model.segment in {"mini", "small", "roadster"}:
        likely -= 0.2
    if model.make == "smart":
        likely = 1.0
    return "automatic" if random.random() < likely else "manual"


def _colour(model: Model, random: Random) -> str:
    weights = dict(_COLOURS)
    if model.segment in {"roadster", "sports", "mini"}:
        weights |= {"red": 4.5, "yellow": 1.3, "orange": 1.0, "blue": 4.5}
    if model.segment in {"work van", "camper"}:
        weights |= {"white": 14, "grey": 6}
    return random.choices(list(weights), list(weights.values()))[0]


def _voice(tenant: str, model: Model, engine: Engine, age: float, random: Random) -> str:
    weights = dict(_VOICES[tenant])
    if age < 2:
        weights["dealer"] *= 2
    if model.segment not in _LOVED or engine.power < 75 or engine.fuel == "electric":
        weights.pop("fan", None)
    return random.choices(list(weights), list(weights.values()))[0]


def _history(age: float, mileage: int, model: Model, random: Random) -> frozenset[str]:
    found = set()
    if random.random() < (0.75 if age < 4 else 0.35 if age < 10 else 0.15):
        found.add("one_owner")
    found.add("full_book" if random.random() < 0.85 - age * 0.025 else "some_book")
    if age > 2.5 or random.random() < 0.2:
        found.add("fresh_check" if random.random() < 0.55 else "check_due")
    if random.random() < 0.25 + 0.3 * (model.segment in _LOVED):
        found.add("garage")
    if random.random() < 0.4:
        found.add("nonsmoker")
    found.add(_damage(age, random))
    if mileage < 55_000 and age > 5:
        found.add("low_km")
    if age < 1.3 and mileage < 16_000:
        found.add("new_car")
    if age > 15 and model.segment not in _LOVED:
        found.add("old")
    if model.segment in {"mini", "small", "compact"} and age > 6 and mileage < 60_000 and random.random() < 0.35:
        found |= {"senior", "one_owner"}
    return frozenset(found)


def _damage(age: float, random: Random) -> str:
    lot = random.random()
    if lot < 0.12 + age * 0.012:
        return "small_damage"
    return "repaired_damage" if lot < 0.2 + age * 0.012 and age > 2 else "accident_free"
