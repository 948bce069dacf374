"""Training pairs: what a catalogue says about itself, a title and a passage of the same item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domain.items import Item
from recommender.passages import item_passages
from recommender.schema import FeatureSchema


@dataclass(frozen=True, slots=True)
class TextPairs:
    """For each item that has both: its title and what belongs to it."""

    titles: tuple[str, ...]
    #: At least one for each title.
    passages: tuple[tuple[str, ...], ...]


def text_pairs(items: Iterable[Item], schema: FeatureSchema) -> TextPairs:
    """Title and passages of every item; an item without a body gets its categories as the one passage.

    Items without a title, or with nothing but a title, teach nothing and are left out.
    """
    titles: list[str] = []
    passages: list[tuple[str, ...]] = []
    for item in items:
        kind = schema.kind(item.key.kind)
        title, *found = item_passages(item.texts, kind.texts, schema.passage_words, schema.max_passages)
        if not found and (values := [value for name in kind.categories for value in item.categories.get(name, ())]):
            found = [" ".join(values)]
        if title and found:
            titles.append(title)
            passages.append(tuple(found))
    return TextPairs(tuple(titles), tuple(passages))
