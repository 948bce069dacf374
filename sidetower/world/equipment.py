"""Equipment: what a car of that age, price and body has on board."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from sidetower.world.cars import Engine, Model

_Fits = Callable[[Model, Engine], bool]


def _body(*bodies: str) -> _Fits:
    return lambda model, _: model.body in bodies


def _segment(*segments: str) -> _Fits:
    return lambda model, _: model.segment in segments


def _electric(_: Model, engine: Engine) -> bool:
    return engine.fuel == "electric"


def _burning(_: Model, engine: Engine) -> bool:
    return engine.fuel != "electric"


def _all_wheel(model: Model, engine: Engine) -> bool:
    return engine.all_wheel or model.segment in {"off-road", "pickup"}


def _any(_model: Model, _engine: Engine) -> bool:
    return True


_FAMILY: Final = _body("estate", "suv", "mpv", "van")
_OPEN: Final = _body("convertible")

#: Name, first and last year, chance in a cheap and in an expensive car, and which cars can have it.
_OPTIONS: Final[tuple[tuple[str, int, int, float, float, _Fits], ...]] = (
    ("air conditioning", 1998, 2025, 0.8, 0.25, _any),
    ("climate control", 2003, 2025, 0.15, 0.8, _any),
    ("electric windows", 1998, 2014, 0.6, 0.3, _any),
    ("radio with CD", 1998, 2014, 0.6, 0.2, _any),
    ("Bluetooth", 2010, 2025, 0.6, 0.6, _any),
    ("Isofix", 2006, 2025, 0.45, 0.45, lambda model, _: model.seats > 3),
    ("cruise control", 2004, 2025, 0.25, 0.6, _any),
    ("heated seats", 2004, 2025, 0.25, 0.7, _any),
    ("parking sensors", 2006, 2025, 0.25, 0.7, _any),
    ("reversing camera", 2014, 2025, 0.15, 0.6, _any),
    ("rain sensor", 2006, 2025, 0.15, 0.4, _any),
    ("fog lights", 1998, 2016, 0.4, 0.4, _any),
    ("alloy wheels", 1998, 2025, 0.35, 0.75, _any),
    ("roof rails", 2000, 2025, 0.4, 0.5, _body("estate", "suv", "mpv")),
    ("towbar", 1998, 2025, 0.22, 0.3, _body("estate", "suv", "mpv", "van", "pickup", "camper")),
    ("dog guard", 1998, 2025, 0.15, 0.12, _body("estate", "suv", "mpv")),
    ("luggage net", 1998, 2025, 0.15, 0.15, _FAMILY),
    ("third row of seats", 1998, 2025, 1.0, 1.0, lambda model, _: model.seats == 7 and model.body != "van"),
    ("sliding doors", 1998, 2025, 1.0, 1.0, _segment("van", "work van", "camper", "compact mpv")),
    ("navigation system", 2008, 2025, 0.2, 0.65, _any),
    ("Apple CarPlay", 2017, 2025, 0.5, 0.75, _any),
    ("Android Auto", 2017, 2025, 0.35, 0.5, _any),
    ("xenon headlights", 2005, 2015, 0.05, 0.4, _any),
    ("LED headlights", 2015, 2025, 0.25, 0.75, _any),
    ("matrix LED headlights", 2018, 2025, 0.0, 0.22, _any),
    ("lane assist", 2015, 2025, 0.2, 0.6, _any),
    ("adaptive cruise control", 2015, 2025, 0.08, 0.5, _any),
    ("blind spot monitor", 2014, 2025, 0.08, 0.35, _any),
    ("keyless entry", 2012, 2025, 0.1, 0.45, _any),
    ("panoramic roof", 2008, 2025, 0.08, 0.3, _body("hatchback", "estate", "suv", "mpv", "saloon")),
    ("leather seats", 1998, 2025, 0.08, 0.4, lambda model, _: model.segment not in {"mini", "work van"}),
    ("sports seats", 2000, 2025, 0.3, 0.5, _segment("sports", "roadster", "executive", "mid")),
    ("memory seats", 2006, 2025, 0.0, 0.5, _segment("executive", "luxury", "large suv")),
    ("electric tailgate", 2013, 2025, 0.1, 0.5, _body("estate", "suv", "van")),
    ("head-up display", 2016, 2025, 0.0, 0.3, _any),
    ("air suspension", 2006, 2025, 0.0, 0.5, _segment("luxury", "large suv")),
    ("auxiliary heating", 2000, 2025, 0.03, 0.15, _burning),
    ("timing belt renewed", 1998, 2016, 0.15, 0.05, _burning),
    ("all-wheel drive", 1998, 2025, 1.0, 1.0, _all_wheel),
    ("heat pump", 2017, 2025, 0.35, 0.5, _electric),
    ("CCS fast charging", 2014, 2025, 0.75, 0.95, _electric),
    ("charging cable type 2", 2012, 2025, 0.7, 0.7, _electric),
    ("wind deflector", 1999, 2025, 0.5, 0.6, _OPEN),
    ("electric roof", 2004, 2025, 0.6, 0.7, _OPEN),
    ("hardtop", 1999, 2015, 0.12, 0.12, lambda model, _: model.body == "convertible" and model.seats == 2),
    ("sports exhaust", 1999, 2025, 0.3, 0.5, lambda m, e: m.segment in {"sports", "roadster"} and e.fuel == "petrol"),
    ("sports suspension", 1999, 2025, 0.5, 0.6, _segment("sports")),
    ("limited-slip differential", 1999, 2025, 0.2, 0.35, _segment("sports")),
    ("pop-up roof", 2008, 2025, 0.9, 0.9, lambda model, _: model.name in {"T6 California", "Marco Polo"}),
    ("kitchen unit", 2008, 2025, 1.0, 1.0, _body("camper")),
    ("solar panel", 2008, 2025, 0.3, 0.4, _body("camper")),
    ("awning", 2008, 2025, 0.6, 0.6, _body("camper")),
    ("bicycle rack", 2008, 2025, 0.3, 0.3, _body("camper", "van", "mpv")),
    ("partition wall", 1998, 2025, 0.9, 0.9, _segment("work van")),
    ("shelving", 1998, 2025, 0.35, 0.35, _segment("work van")),
    ("load bed cover", 2008, 2025, 0.6, 0.6, _body("pickup")),
    ("differential lock", 1998, 2025, 0.6, 0.6, _segment("off-road", "pickup")),
    ("all-terrain tyres", 1998, 2025, 0.4, 0.4, _segment("off-road", "pickup")),
    ("winter tyres", 1998, 2025, 0.3, 0.25, _any),
    ("all-season tyres", 2010, 2025, 0.25, 0.12, _any),
)
#: Cars that cost less than the first when new are equipped plainly, more than the second richly.
_PLAIN, _RICH = 15_000, 70_000


def equipment(model: Model, engine: Engine, year: int, random: Random) -> tuple[str, ...]:
    """What this car has on board, in no particular order."""
    richness = min(1.0, max(0.0, (model.price * engine.factor - _PLAIN) / (_RICH - _PLAIN)))
    generous = random.uniform(0.7, 1.3)
    found = []
    for name, first, last, plain, rich, fits in _OPTIONS:
        if not first <= year <= last or not fits(model, engine):
            continue
        chance = plain + (rich - plain) * richness
        if chance == 1.0 or random.random() < chance * generous:
            found.append(name)
    for better, worse in (
        ("climate control", "air conditioning"),
        ("matrix LED headlights", "LED headlights"),
        ("adaptive cruise control", "cruise control"),
        ("all-season tyres", "winter tyres"),
    ):
        if better in found and worse in found:
            found.remove(worse)
    random.shuffle(found)
    return tuple(found)
