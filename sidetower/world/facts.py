"""Facts: a car's particulars in words, for sellers to write with."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from random import Random
from typing import Final

from sidetower.world.offers import TRADE, Offer

_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December")  # fmt: skip
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
                   "twelve")  # fmt: skip
_SHADES: Final = {
    "black": ("black", "deep black", "black metallic"),
    "grey": ("grey", "anthracite", "dark grey", "graphite grey"),
    "silver": ("silver", "silver metallic"),
    "white": ("white", "pearl white"),
    "blue": ("blue", "dark blue", "midnight blue", "light blue"),
    "red": ("red", "dark red", "cherry red"),
    "green": ("green", "dark green", "racing green"),
    "brown": ("brown", "chestnut brown"),
    "beige": ("beige", "champagne"),
    "orange": ("orange", "copper orange"),
    "yellow": ("yellow", "sunny yellow"),
}
#: Braked towing capacity in kilograms by class of car.
_TOWING: Final = {"compact": 1_400, "mid": 1_900, "executive": 2_000, "small suv": 1_500, "suv": 2_100, "mpv": 1_700,
                  "large suv": 3_000, "off-road": 3_000, "pickup": 3_500, "van": 2_200, "work van": 2_000}  # fmt: skip
#: Litres on 100 km by class of car, with a petrol engine of the usual power.
_THIRST: Final = {"mini": 5.0, "small": 5.6, "compact": 6.4, "mid": 7.2, "executive": 8.0, "luxury": 9.0,
                  "compact mpv": 6.8, "mpv": 7.4, "small suv": 6.8, "suv": 7.8, "large suv": 9.4, "roadster": 7.4,
                  "sports": 9.2, "van": 9.0, "camper": 9.4, "work van": 8.8, "pickup": 9.6,
                  "off-road": 9.6}  # fmt: skip


def facts(offer: Offer, now: datetime, random: Random) -> dict[str, str]:
    """What the lines' slots stand for in this offer."""
    model, engine, age = offer.model, offer.engine, offer.age(now)
    spelling = random.choice(model.spellings)
    shade = random.choice(_SHADES[offer.colour])
    many = random.random() < 0.4
    kit = [*offer.equipment, *random.sample(("central locking", "ABS", "power steering", "spare wheel"), 3)]
    return {
        **({"I": "we", "We": "We", "my": "our", "My": "Our", "me": "us", "am": "are"} if many else
           {"I": "I", "We": "I", "my": "my", "My": "My", "me": "me", "am": "am"}),
        "Our": "Our" if many else "My",
        "have": "have",
        "make": spelling,
        # Models called "2" or "One" make no sense without their make.
        "name": model.name if len(model.name) > 3 or model.name[0] in "iXQ" else f"{spelling} {model.name}",
        "full": f"{spelling} {model.name}",
        "engine": engine.label,
        "trim": offer.trim,
        "seats": _NUMBERS[model.seats],
        "Seats": _NUMBERS[model.seats].capitalize(),
        "seatcount": str(model.seats),
        "gearbox": offer.gearbox,
        "hp": str(round(engine.power * 1.36)),
        "year": str(offer.year),
        "month": _MONTHS[offer.month - 1],
        "mm": f"{offer.month:02}",
        "colour": offer.colour,
        "shade": shade,
        "Shade": shade.capitalize(),
        "city": offer.city,
        "check": "TÜV" if offer.tenant == "autohaus" else "inspection",
        "equipment": ", ".join(offer.equipment),
        "a": kit[0],
        "b": kit[1],
        "c": kit[2],
        **_distances(offer, age, random),
        **_times(offer, now, age, random),
        **_consumption(offer, age, random),
    }  # fmt: skip


def tags(offer: Offer, uses: frozenset[str]) -> tuple[str, ...]:
    """What holds for the car, for choosing lines; in a fixed order."""
    held = set(offer.history) | set(uses)
    if offer.engine.fuel != "electric":
        held.add(offer.gearbox)
    if offer.engine.fuel in {"petrol", "diesel"}:
        held.add(offer.engine.fuel)
    if offer.engine.all_wheel:
        held.add("all_wheel")
    if "winter tyres" in offer.equipment:
        held.add("winter_set")
    if "all-season tyres" in offer.equipment:
        held.add("all_season")
    if "old" in held and offer.voice not in TRADE and offer.price > 4_000:
        held.remove("old")
    return tuple(sorted(held))


def _distances(offer: Offer, age: float, random: Random) -> dict[str, str]:
    rounded = offer.mileage if offer.mileage < 1_000 else round(offer.mileage, -3)
    clutch = round(offer.mileage * random.uniform(0.6, 0.97) / 1000) * 1000
    spoken = random.choice((f"{offer.mileage:,} km", f"{rounded:,} km", f"{offer.mileage} km"))
    if offer.mileage >= 10_000 and random.random() < 0.25:
        spoken = f"{rounded // 1000}k km"
    reach = _range(offer, age, random)
    return {
        "km": spoken,
        "kmk": f"{rounded:,} km",
        "clutch": f"{max(1_000, clutch):,}",
        "range": str(reach),
        "winterrange": str(round(reach * 0.072) * 10),
        "plugrange": str(random.randrange(40, 75, 5)),
        "tow": f"{_TOWING.get(offer.model.segment, 1_200):,}",
    }


def _times(offer: Offer, now: datetime, age: float, random: Random) -> dict[str, str]:
    # Two years between inspections.
    months = random.randint(20, 24) if "fresh_check" in offer.history else random.randint(1, 6)
    until = now.year * 12 + now.month - 1 + months
    owned = max(1, round(age if "one_owner" in offer.history else age * random.uniform(0.3, 0.8)))
    repaired = max(offer.year, now.year - random.randint(0, 2))
    return {
        "until": f"{until % 12 + 1:02}/{until // 12}",
        "held": f"{_NUMBERS[owned] if owned < len(_NUMBERS) else owned} {'year' if owned == 1 else 'years'}",
        "repair": str(repaired),
        "tread": str(random.randint(4, 8)),
    }


def _consumption(offer: Offer, age: float, random: Random) -> dict[str, str]:
    factor = {"diesel": 0.8, "hybrid": 0.72, "plug-in hybrid": 0.45, "electric": 0.0}.get(offer.engine.fuel, 1.0)
    litres = _THIRST[offer.model.segment] * factor * (0.8 + offer.engine.power / 600) * random.uniform(0.95, 1.08)
    return {"litres": f"{litres:.1f}", "soh": str(round(max(72.0, 99 - age * random.uniform(1.2, 2.2))))}


def _range(offer: Offer, age: float, random: Random) -> int:
    """Kilometres of an electric car on one charge, from the battery in its name or the class of car."""
    words = offer.engine.label.replace("kWh", " kWh").split()
    sizes = [float(word) for word, unit in pairwise(words) if unit == "kWh"]
    usual = {"mini": 24.0, "small": 40.0, "mid": 70.0, "luxury": 85.0}
    battery = sizes[0] if sizes else usual.get(offer.model.segment, 58.0)
    need = {"mini": 13.5, "small": 14.5, "compact": 16.0, "mid": 15.5, "luxury": 20.0}.get(offer.model.segment, 18.5)
    return round(battery / need * 100 * (1 - age * 0.015) * random.uniform(0.95, 1.05) / 10) * 10
