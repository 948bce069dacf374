"""The demo world: two car marketplaces, two help centres, their visitors, and what to try with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from domain.events import Event
from sidetower.world.articles import articles
from sidetower.world.listings import listings
from sidetower.world.searches import DemoEdit, DemoSearch, edit, searches
from sidetower.world.shoppers import Shopper, shoppers

#: The world's present unless told otherwise; nothing in it is younger.
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a demonstration needs, made up and always the same for a seed and a present."""

    #: By kind (listing, article): tenant and document, as a host would send them. Two tenants use equal ids for
    #: different things, as independent hosts do.
    documents: Mapping[str, Sequence[tuple[str, dict[str, Any]]]]
    shoppers: Sequence[Shopper]
    #: A sidetower.toml for both kinds.
    config_toml: str
    searches: Sequence[DemoSearch]
    edit: DemoEdit
    now: datetime

    def events(self) -> list[Event]:
        """What all shoppers did, oldest first."""
        return sorted((event for one in self.shoppers for event in one.events), key=lambda event: event.timestamp)


def build(seed: int = 7, now: datetime = NOW) -> World:
    """The world of that seed.

    Args:
        seed: another seed, another world of the same make.
        now: the world's present, with a time zone; all dates count back from it.
    """
    cars = listings(seed, now)
    people = shoppers(seed, cars, now)
    return World(
        documents={
            "listing": [(one.offer.tenant, one.document) for one in cars],
            "article": [(one.tenant, one.document) for one in articles(seed, now)],
        },
        shoppers=people,
        config_toml=(files("sidetower.world") / "texts" / "sidetower.toml").read_text(encoding="utf-8"),
        searches=searches(people),
        edit=edit(cars, now),
        now=now,
    )
