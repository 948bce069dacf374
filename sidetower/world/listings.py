"""Listings: the advertisements of two car marketplaces, as their owners' databases hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from domain.items import EVERYONE
from sidetower.world.facts import facts, tags
from sidetower.world.offers import TRADE, Offer, offer
from sidetower.world.prose import Lines, dice, pick, resource, said
from sidetower.world.uses import uses

#: How many listings each shop has. Both number them from the same start: equal ids of two tenants are two cars.
SHOPS: Final = {"autohaus": 1_900, "roadster": 1_100}
DEALERS: Final = "dealers"
_FIRST_NUMBER: Final = 104_000
_EQUIPMENT: Final = "Equipment: {equipment}."
#: Whose lines are used where a voice has none of its own.
_FALLBACK: Final = {"chatty": "neat", "fan": "neat", "broker": "dealer"}
#: What each voice writes about, in order, and the chance that it does.
_PLANS: Final[Mapping[str, Sequence[tuple[str, float]]]] = {
    "dealer": (("opening", 0.9), ("use", 0.85), ("drive", 0.12), ("kit", 0.9), ("care", 0.8), ("care", 0.4),
               ("flaw", 0.55), ("tyres", 0.4), ("closing", 0.95), ("closing", 0.3)),
    "broker": (("opening", 0.9), ("use", 0.6), ("kit", 0.85), ("care", 0.7), ("flaw", 0.5), ("tyres", 0.4),
               ("closing", 0.9)),
    "neat": (("opening", 0.95), ("use", 0.95), ("use", 0.45), ("drive", 0.55), ("kit", 0.85), ("care", 0.85),
             ("care", 0.55), ("flaw", 0.75), ("tyres", 0.6), ("reason", 0.65), ("closing", 0.9)),
    "chatty": (("opening", 0.95), ("use", 0.9), ("use", 0.3), ("kit", 0.7), ("drive", 0.2), ("care", 0.45),
               ("flaw", 0.7), ("tyres", 0.3), ("reason", 0.65), ("closing", 0.9)),
    "terse": (("opening", 0.6), ("use", 0.6), ("drive", 0.5), ("kit", 0.65), ("care", 0.6), ("care", 0.3),
              ("flaw", 0.5), ("tyres", 0.4), ("reason", 0.3), ("closing", 0.6)),
    "fan": (("opening", 0.95), ("use", 0.95), ("use", 0.4), ("drive", 0.3), ("kit", 0.75), ("care", 0.9),
            ("care", 0.5), ("flaw", 0.75), ("tyres", 0.45), ("reason", 0.5), ("closing", 0.9)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """An offer and the document that its shop keeps."""

    offer: Offer
    #: What the car is good for.
    uses: frozenset[str]
    document: dict[str, Any]


def listings(seed: int, now: datetime) -> list[Listing]:
    """Every listing of both shops, shop by shop, by id."""
    return [
        _listing(offer(shop, _FIRST_NUMBER + place, now, dice(seed, shop, place)), now, dice(seed, shop, place, 1))
        for shop, count in SHOPS.items()
        for place in range(count)
    ]


def _listing(one: Offer, now: datetime, random: Random) -> Listing:
    named = uses(one, now)
    slots = facts(one, now, random)
    told = tags(one, named)
    document = {
        "listing_id": one.id,
        "updated_at": iso(one.updated),
        "title": _title(one, told, slots, random),
        "description": _description(one, told, slots, random),
        "make": one.model.make,
        "model": one.model.model,
        "body": one.model.body,
        "fuel": one.engine.fuel,
        "gearbox": one.gearbox,
        "colour": one.colour,
        "equipment": list(one.equipment),
        "price": one.price,
        "mileage": one.mileage,
        "first_registration": one.year,
        "power_kw": one.engine.power,
        "seats": one.model.seats,
        "city": one.city,
        "views": _views(one, now, random),
        "visible_to": [DEALERS] if one.trade_only else [EVERYONE],
    }
    return Listing(one, named, document)


def iso(moment: datetime) -> str:
    """The moment as the shops write it, to the second, in UTC."""
    return moment.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")


def _title(one: Offer, told: Sequence[str], slots: Mapping[str, str], random: Random) -> str:
    titles = resource("titles")
    hooks: Lines = titles["hooks"]
    # Nearly every car is accident-free; few sellers put it into the title.
    known = [tag for tag in told if tag in hooks and random.random() < (0.3 if tag == "accident_free" else 0.7)]
    random.shuffle(known)
    spare = list(hooks["any"])
    random.shuffle(spare)
    chosen = [random.choice(hooks[tag]) for tag in known[:3]] + spare
    # A hook may name a fact itself, so it is filled in first.
    own = {f"hook{place}": said(hook, slots, random) for place, hook in zip(("", "2", "3"), chosen, strict=False)}
    lines: Lines = titles[one.voice]
    line = random.choice(lines["any"]) if random.random() < 0.65 else pick(lines, told, random)
    title = said(line, {**slots, **own}, random)
    if one.voice == "terse" and random.random() < 0.4:
        return title.lower()
    if one.voice == "broker" and random.random() < 0.35:
        return title.upper()
    return title


def _description(one: Offer, told: Sequence[str], slots: Mapping[str, str], random: Random) -> str:
    templates: list[str] = []
    in_full = one.voice == "dealer" and len(one.equipment) > 5 and random.random() < 0.4
    for part, chance in _PLANS[one.voice]:
        if random.random() < chance:
            templates.append(_EQUIPMENT if in_full and part == "kit" else _line(one, part, told, templates, random))
    lines = [line for template in templates if (line := said(template, slots, random))]
    if len(lines) < 2:
        lines += [said("{full}, {year}, {km}", slots, random), said("{a}, {b}", slots, random)]
    return _joined(one, lines, random)


def _line(one: Offer, part: str, told: Sequence[str], used: list[str], random: Random) -> str:
    if part == "closing" and one.trade_only:
        trade: Lines = {"trade": resource("trade_sellers")[one.voice]["closing"]["trade"]}
        return pick(trade, ("trade",), random, told=used)
    for voice in (one.voice, _FALLBACK.get(one.voice)):
        banks = resource("trade_sellers" if voice in TRADE | {"terse"} else "private_sellers")
        if voice and part in banks[voice]:
            lines = banks[voice][part]
            if "any" in lines or not set(lines).isdisjoint(told):
                return pick(lines, told, random, told=used)
    return ""


def _joined(one: Offer, lines: list[str], random: Random) -> str:
    if one.voice == "terse":
        mark = random.choice((", ", ". ", " - ", "\n", " / "))
        text = mark.join(lines)
        return text[0].upper() + text[1:] if mark == ". " else text
    if one.voice in TRADE:
        listed = any("\n" in line or line[-1] not in ".!" for line in lines)
        lines = [line[0].upper() + line[1:] for line in lines]
        return random.choice(("\n", "\n\n") if listed else (" ", " ", "\n")).join(lines)
    if one.voice == "chatty" and random.random() < 0.3:
        return " ".join(lines).lower()
    if len(lines) > 4 and random.random() < 0.5:
        half = random.randint(2, len(lines) - 2)
        return " ".join(lines[:half]) + "\n\n" + " ".join(lines[half:])
    return " ".join(lines)


def _views(one: Offer, now: datetime, random: Random) -> int:
    """Page views so far: the longer online and the more wanted, the more."""
    days = max(0.2, (now - one.listed) / timedelta(days=1))
    wanted = 2.2 if one.model.segment in {"sports", "roadster", "camper"} else 1.0
    if one.price < 6_000:
        wanted *= 1.5
    if one.trade_only:
        wanted *= 0.15
    views: float = days**0.8 * wanted * random.lognormvariate(2.2, 0.7)
    return round(views)
