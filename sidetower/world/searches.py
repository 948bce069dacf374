"""Searches to try: queries where a shopper's taste should show, and an edit that should soon be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sidetower.world.listings import Listing, iso
from sidetower.world.offers import TRADE
from sidetower.world.shoppers import Shopper

#: Fewer events than this are no history to show a taste with.
_HISTORY: Final = 20


@dataclass(frozen=True, slots=True)
class DemoSearch:
    """One search worth trying."""

    kind: str
    tenant: str
    text: str
    #: Who searches; "" for nobody in particular.
    user_id: str
    #: What to look for in the answer.
    why: str


@dataclass(frozen=True, slots=True)
class DemoEdit:
    """A change to one listing, and a search that finds it only afterwards."""

    kind: str
    tenant: str
    before: Mapping[str, Any]
    #: The whole document after the change, with a newer revision.
    after: Mapping[str, Any]
    text: str


#: Shop, text, how the shopper's taste begins, and why it is worth trying.
_PERSONAL: Final = (
    ("autohaus", "car for the city", "small electric city cars",
     "Most small cars are petrol; this shopper opened electric ones only, so those should lead."),
    ("autohaus", "family car", "seven-seaters",
     "Estates, SUVs and vans all call themselves family cars; seven-seaters should come first here."),
    ("autohaus", "automatic with heated seats", "electric family cars",
     "The words fit half the shop and say nothing about the drive; the history says electric."),
    ("autohaus", "first owner, full service history", "cheap first cars",
     "Expensive cars have the best papers, but this shopper looks for something cheap and small."),
    ("roadster", "weekend car", "petrol sports cars",
     "Campers, convertibles and off-roaders are for weekends too; sports cars should rise."),
    ("roadster", "winter tyres", "off-roaders",
     "Every class of car is sold with winter tyres; this shopper means snow, so 4x4 should lead."),
)  # fmt: skip


def searches(shoppers: Sequence[Shopper]) -> list[DemoSearch]:
    """Searches by shoppers with a clear taste, one by somebody new, and two in the help centres."""
    found = []
    for shop, text, wanted, why in _PERSONAL:
        known = [
            one
            for one in shoppers
            if one.tenant == shop
            and len(one.tastes) == 1
            and one.taste.startswith(wanted)
            and len(one.events) > _HISTORY
        ]
        if known:
            chosen = max(known, key=lambda one: (len(one.events), one.user_id))
            found.append(DemoSearch("listing", shop, text, chosen.user_id, why))
    new = next((one for one in shoppers if one.tenant == "autohaus" and not one.events), None)
    if new:
        why = "Nobody knows this shopper yet: only the query speaks, by words and by meaning."
        found.append(DemoSearch("listing", "autohaus", "car for the city", new.user_id, why))
    why = "Many articles speak of passwords; the one that answers this should lead."
    found.append(DemoSearch("article", "autohaus", "forgot my password", "", why))
    why = "People describe what they see; the articles name the cause."
    found.append(DemoSearch("article", "norrhem", "water on the floor and the pump keeps running", "", why))
    return found


def edit(listings: Sequence[Listing], now: datetime) -> DemoEdit:
    """A private seller adds something that no listing has."""
    chosen = next(
        one
        for one in listings
        if one.offer.model.body == "mpv" and one.offer.voice not in TRADE and one.offer.tenant == "autohaus"
    )
    before = chosen.document
    after = {
        **before,
        "updated_at": iso(now),
        "title": before["title"] + ", with wheelchair ramp",
        "description": before["description"]
        + "\n\nNew since this week: a folding wheelchair ramp at the tailgate and floor rails with belts, fitted and "
        "entered in the papers by a specialist workshop. Easily removed again.",
        "equipment": [*before["equipment"], "wheelchair ramp"],
        "price": before["price"] + 900,
    }
    return DemoEdit("listing", chosen.offer.tenant, before, after, "wheelchair ramp")
