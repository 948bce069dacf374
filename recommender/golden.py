"""The golden file: raw items and events, and every number that a bundle makes of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import BundleRefused
from domain.items import EVERYONE, Item, ItemKey
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.manifest import GOLDEN_FILE
from recommender.schema import HASH_FUNCTION, FeatureSchema

#: How far a recomputed number may be away.
TOLERANCE: Final = 1e-4
#: Letters that any tokenizer of a Latin script knows; where it does not, the query vector is null.
QUERY: Final = "a quiet blue car for the city"
#: The first items are acted upon in this order, one day apart, newest first.
_ACTIONS: Final = ("click", "view", "purchase")


def golden_items(schema: FeatureSchema, sample: Sequence[Item]) -> list[Item]:
    """For each kind two items that everyone may see, and a made-up one that has nothing but a title.

    A bundle travels farther than its items: what only some may see stays out of it.
    """
    found: list[Item] = []
    for kind in schema.kinds:
        public = [item for item in sample if item.key.kind == kind.name and EVERYONE in item.audience]
        found += public[:2]
        found.append(Item(ItemKey("golden", kind.name, "title-only"), 0, texts={kind.texts[0]: QUERY}))
    return found


def write_golden(folder: Path, bundle: Bundle, items: Sequence[Item]) -> None:
    """Write ``golden.json``: items, events and a query with all that the bundle makes of them.

    A caller in any language can check itself against it.

    Args:
        folder: the bundle's.
        bundle: computes every number.
        items: at least one.
    """
    names = bundle.manifest.signals
    # Made-up values of every size that signals have; what they mean does not matter here.
    signals = [[round(0.1 * (row + 1) / (column + 1), 4) for column in range(len(names))] for row in range(len(items))]
    events = [
        {"item": row, "action_name": action, "age_seconds": 86_400.0 * (row + 1)}
        for row, action in zip(range(len(items)), _ACTIONS, strict=False)
    ]
    document: dict[str, Any] = {
        "hash_function": HASH_FUNCTION,
        "items": [_item_document(item) for item in items],
        "events": events,
        "query": QUERY,
        "signal_names": list(names),
        "signals": signals,
    }
    document["computed"] = compute(bundle, document)
    (folder / GOLDEN_FILE).write_text(json.dumps(document) + "\n", encoding="utf-8")


def compute(bundle: Bundle, document: Mapping[str, Any]) -> dict[str, Any]:
    """Every number of the golden file, from its raw part, as plain lists."""
    items = [_item(one) for one in document["items"]]
    events = document["events"]
    features = bundle.features.build(items)
    vectors = bundle.item_tower.embed(features)
    history = bundle.history(
        vectors[[event["item"] for event in events]],
        [event["action_name"] for event in events],
        [event["age_seconds"] for event in events],
    )
    query = bundle.embed_query(document["query"])
    user = bundle.user_tower.embed(history, query)
    shape = (len(items), len(bundle.manifest.signals))
    signals = np.array(document.get("signals", np.zeros(shape)), np.float32).reshape(shape)
    scores = bundle.scorer.score(query, user, vectors, signals)
    found = {
        "passages": [list(bundle.features.passages(item)) for item in items],
        "text": _plain(features.text),
        "category_ids": features.category_ids.tolist(),
        "category_weights": _plain(features.category_weights),
        "numbers": _plain(features.numbers),
        "known": _plain(features.known),
        "item_vectors": _plain(vectors),
        "history_weights": _plain(history.weights),
        "history_ages": _plain(history.ages),
        "query_vector": None if query is None else _plain(query),
        "user_vector": _plain(user),
        "relevance": _plain(scores.relevance),
        "gate": round(scores.gate, 7),
        "personal": _plain(scores.personal),
    }
    if bundle.words is not None:
        titles = [bundle.manifest.schema.kind(item.key.kind).texts[0] for item in items]
        rows = [
            bundle.words.columns(document["query"], [Candidate(item, 0.0, row)], title)
            for row, (item, title) in enumerate(zip(items, titles, strict=True))
        ]
        found["query_signals"] = _plain(np.concatenate(rows))
    return found


def verify_bundle(folder: Path) -> None:
    """Load the bundle and compute its golden file anew.

    Raises:
        BundleRefused: a part is damaged, or this machine computes other numbers.
    """
    for fault in golden_faults(folder):
        raise fault


def golden_faults(folder: Path) -> Iterator[BundleRefused]:
    """One error for each part of the golden file that comes out differently here; none is right.

    Raises:
        BundleRefused: the bundle cannot be loaded.
    """
    bundle = load_bundle(folder)
    document = json.loads((folder / GOLDEN_FILE).read_text(encoding="utf-8"))
    found = compute(bundle, document)
    for name, expected in document["computed"].items():
        difference = _difference(expected, found[name])
        if difference > TOLERANCE:
            yield BundleRefused(
                f"bundle {folder.name}, {GOLDEN_FILE}, {name}",
                expected=f"the stored numbers to {TOLERANCE}",
                got=f"a difference of {difference:.2g}",
                fix="Run it with the versions that it was built with, or build it anew.",
            )


def _difference(expected: Any, found: Any) -> float:
    """The greatest difference of two trees of numbers; infinite when anything else differs."""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return max((_difference(*pair) for pair in zip(expected, found, strict=True)), default=0.0)
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return abs(expected - found)
    return 0.0 if expected == found else math.inf


def _plain(array: Array) -> Any:
    return np.round(array.astype(np.float64), 7).tolist()


def _item_document(item: Item) -> dict[str, Any]:
    return {
        "tenant": item.key.tenant,
        "kind": item.key.kind,
        "id": item.key.id,
        "texts": dict(item.texts),
        "categories": {name: list(values) for name, values in item.categories.items()},
        "numbers": dict(item.numbers),
    }


def _item(document: Mapping[str, Any]) -> Item:
    return Item(
        key=ItemKey(document["tenant"], document["kind"], document["id"]),
        revision=0,
        texts=document["texts"],
        categories={name: tuple(values) for name, values in document["categories"].items()},
        numbers=document["numbers"],
    )
