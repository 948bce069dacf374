"""Articles: the help centres of the car marketplace and of a household brand, as their editors keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from domain.items import EVERYONE
from sidetower.world.listings import iso
from sidetower.world.prose import dice, resource, said

#: Both shops number their articles from the same start: equal ids of two tenants are two articles.
_FIRST_NUMBER: Final = 2_000
AGENTS: Final = "agents"
#: Resources of each help centre.
_CENTRES: Final = {
    "autohaus": ("help_account", "help_selling", "help_buying"),
    "norrhem": ("help_service", "help_faults", "help_more_faults"),
}
_LIST_ITEM: Final = re.compile(r"\d+\. |- ")


@dataclass(frozen=True, slots=True)
class Article:
    """One article and whose it is."""

    tenant: str
    #: Articles of one topic say the same about different products or devices.
    topic: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Draft:
    topic: str
    title: str
    section: str
    tags: tuple[str, ...]
    body: str
    agents_only: bool = False


def articles(seed: int, now: datetime) -> list[Article]:
    """Every article of both help centres, centre by centre, by id."""
    drafts = {
        "autohaus": [*_written("autohaus"), *_by_device()],
        "norrhem": [*_written("norrhem"), *_by_product(seed)],
    }
    return [
        _article(tenant, _FIRST_NUMBER + 7 * place, draft, now, dice(seed, tenant, draft.title))
        for tenant, all_of_it in drafts.items()
        for place, draft in enumerate(all_of_it)
    ]


def _article(tenant: str, number: int, draft: _Draft, now: datetime, random: Random) -> Article:
    age = timedelta(days=random.expovariate(1 / 260) % 1_400 + 1, seconds=random.randrange(86_400))
    document = {
        "article_id": str(number),
        "updated_at": iso(now - age),
        "title": draft.title,
        "body": draft.body,
        "section": draft.section,
        "tags": list(draft.tags),
        "helpful_votes": round(random.lognormvariate(2.6, 1.1)) // (6 if draft.agents_only else 1),
        "visible_to": [AGENTS] if draft.agents_only else [EVERYONE],
    }
    return Article(tenant, draft.topic, document)


def _written(tenant: str) -> Iterator[_Draft]:
    """The articles that stand in the resources as they are."""
    for name in _CENTRES[tenant]:
        for row in resource(name)["article"]:
            title, tags = row["title"], tuple(row["tags"])
            yield _Draft(title, title, row["section"], tags, flowing(row["body"]), row.get("agents", False))


def _by_device() -> Iterator[_Draft]:
    table = resource("help_apps")
    for topic in table["topic"]:
        for device, phrase in table["devices"].items():
            title = topic["title"].replace("{device}", phrase)
            yield _Draft(topic["title"], title, topic["section"], (*topic["tags"], device), flowing(topic[device]))


def _by_product(seed: int) -> Iterator[_Draft]:
    for topic in resource("help_products")["topic"]:
        for product, facts in resource("help_appliances").items():
            random = dice(seed, topic["title"], product)
            slots = {**facts, "product": product}
            title = said(topic["title"], slots, random)
            body = flowing(said(flowing(topic["body"]), slots, random))
            yield _Draft(topic["title"], title, topic["section"], (*topic["tags"], product), body)


def flowing(text: str) -> str:
    """The text with its lines joined to paragraphs; list items keep their lines."""
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        lines: list[str] = []
        for line in paragraph.split("\n"):
            if lines and not _LIST_ITEM.match(line):
                lines[-1] += " " + line.strip()
            else:
                lines.append(line.strip())
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)
