"""Steam games: new users with a fifth of their games hidden, all games known or a tenth of them new to everything."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyarrow import parquet

from benchmarks.quality_rows import METRICS, Case, bar, best_of, judged, row
from benchmarks.report import real_data
from domain.catalogue import Kind
from domain.events import Event
from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.evaluation.baselines import (
    Ranker,
    content_knn,
    from_weights,
    popularity,
    tf_idf,
    tuned_ease,
    tuned_item_knn,
)
from recommender.evaluation.metrics import RankingMetrics, tie_order
from recommender.evaluation.splits import hide_share, id_hash, is_cold, is_reported
from recommender.neighbours import Interactions, ease, item_knn

GAME: Final = Kind(
    "game",
    "item_id",
    {"title": 2.0, "about": 1.0},
    category=("developer", "publisher", "platforms", "categories", "genres", "tags"),
    number=("price_gbp_2019", "year", "achievements"),
)
TENANT: Final = "steam"
#: Share of a person's games that are hidden.
HIDDEN: Final = 0.2
#: Percent of the training people that baselines are tuned on.
TUNING_PERCENT: Final = 15


@dataclass(frozen=True)
class Steam:
    """The games, and who has which."""

    items: list[Item]
    owned: dict[str, list[int]]

    def people(self, reported: bool) -> list[str]:
        """The people of one side of the split."""
        return [name for name in self.owned if is_reported(name) == reported]


def read() -> Steam:
    """Games and people, in the order of their ids."""
    items = []
    for game in parquet.read_table(real_data("steam_games", "items.parquet")).to_pylist():
        about = ", ".join([*game["genres"], *game["tags"], *game["categories"], *game["developer"]])
        year = int(str(game["release_date"])[:4]) if game["release_date"] else None
        items.append(GAME.item(game | {"about": about, "year": year}, tenant=TENANT, revision=0))
    row_of = {item.key.id: number for number, item in enumerate(items)}
    owned: dict[str, list[int]] = defaultdict(list)
    table = parquet.read_table(real_data("steam_games", "interactions.parquet")).to_pylist()
    for one in sorted(table, key=lambda one: (one["user_id"], one["item_id"])):
        owned[str(one["user_id"])].append(row_of[str(one["item_id"])])
    return Steam(items, dict(owned))


def measure(encoder: str, *, cold: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures and bars of one variant; `cold` hides a tenth of the games from everything that is trained."""
    steam = read()
    hidden = {number for number, item in enumerate(steam.items) if cold and is_cold(item.key.id)}
    known = {name: [game for game in steam.owned[name] if game not in hidden] for name in steam.people(False)}
    pairs = Interactions.of(list(known.values()), len(steam.items))
    ties = tie_order([item.key.id for item in steam.items])
    rankers = _baselines(steam, known, pairs, hidden)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bundle, trained = _trained(steam, known, hidden, encoder, Path(folder))
        rankers |= _served(bundle, steam, content_knn(bundle.features.text(steam.items), most=False))
    print(f"built and trained in {time.monotonic() - started:.0f} s: {trained}", flush=True)
    name = "steam, cold games" if cold else "steam, new users"
    if not cold:
        cases = [_case(steam, person, set()) for person in steam.people(True)]
        found = {method: judged(ranker, cases, ties) for method, ranker in rankers.items()}
        return [row(name, *one) for one in found.items()], _warm_bars(name, found)
    figures, bars = [], []
    cases = [_case(steam, person, hidden) for person in steam.people(True)]
    cases = [case for case in cases if case[1] and case[0]]
    warm = set(range(len(steam.items))) - hidden
    for part, reach, left_out in ((f"{name}, all compete", 1.0, set()), (f"{name}, among cold", 1.05, warm)):
        found = {
            method: judged(ranker, [(past, wanted, out | left_out) for past, wanted, out in cases], ties)
            for method, ranker in rankers.items()
        }
        figures += [row(part, *one) for one in found.items()]
        best = best_of(found, "recall@10", ("TF-IDF k-NN", "encoder k-NN"))
        bars.append(bar(part, "recall@10", found["served"].recall, found[best].recall, best, reach, strict=False))
    return figures, bars


def _case(steam: Steam, person: str, cold: set[int]) -> Case:
    """Hidden is a fifth of a person's games, or all of the cold ones where there are any cold."""
    games = steam.owned[person]
    if cold:
        shown, wanted = [game for game in games if game not in cold], [game for game in games if game in cold]
    else:
        shown, wanted = hide_share(person, games, HIDDEN)
    return shown, set(wanted), set(shown)


def _warm_bars(name: str, found: dict[str, RankingMetrics]) -> list[dict[str, Any]]:
    return [
        bar(
            name,
            metric,
            getattr(found[method], METRICS[metric]),
            getattr(found["EASE"], METRICS[metric]),
            f"EASE ({method})",
            1.03,
            strict=True,
        )
        for method in ("served", "served, last 50 events")
        for metric in ("recall@10", "NDCG@10")
    ]


def _baselines(steam: Steam, known: dict[str, list[int]], pairs: Interactions, hidden: set[int]) -> dict[str, Ranker]:
    """Each tuned on a part of the training people, then counted on all of them."""
    ties = tie_order([item.key.id for item in steam.items])
    late = np.array([id_hash("tuning", person) % 100 < TUNING_PERCENT for person in known])
    cases: list[Case] = []
    for person, chosen in zip(known, late, strict=True):
        if chosen and len(known[person]) > 1:
            shown, wanted = hide_share(person, known[person], HIDDEN)
            cases.append((shown, set(wanted), set(shown)))

    def judge(ranker: Ranker) -> float:
        found = judged(ranker, cases, ties)
        return float(found.ndcg.mean() + found.recall.mean())

    early = pairs.only(~late)
    ridge, shrink = tuned_ease(early, judge), tuned_item_knn(early, judge)
    seen = [number not in hidden for number in range(len(steam.items))]
    words = tf_idf([_words(item) for item in steam.items], seen)
    most = max((False, True), key=lambda one: judge(content_knn(words, one)))
    matrix = pairs.dense()
    print(f"tuned: EASE {ridge:g} per 1,000 people, ItemKNN {shrink:g}, TF-IDF {'max' if most else 'mean'}", flush=True)
    return {
        "popularity": popularity(pairs),
        "TF-IDF k-NN": content_knn(words, most),
        "ItemKNN": from_weights(item_knn(matrix, shrink)),
        "EASE": from_weights(ease(matrix, ridge * len(matrix) / 1_000)),
    }


def _words(item: Item) -> str:
    """Title and attributes, a value of an attribute as one word."""
    values = [
        f"{name}_{''.join(filter(str.isalnum, value))}" for name in item.categories for value in item.categories[name]
    ]
    return " ".join([item.texts["title"], *values])


def _trained(
    steam: Steam, known: dict[str, list[int]], hidden: set[int], encoder: str, folder: Path
) -> tuple[Bundle, dict[str, Any]]:
    """The bundle that is trained from what the training people have."""
    from recommender.training.release import train_release
    from recommender.training.zero import build_bundle_zero

    catalogue = [item for number, item in enumerate(steam.items) if number not in hidden]
    zero = build_bundle_zero([GAME], catalogue, encoder, folder)
    events = [
        Event(TENANT, person, "purchase", GAME.name, steam.items[game].key.id, 0.0)
        for person, games in known.items()
        for game in games
    ]
    bundle = load_bundle(train_release(zero, catalogue, events, folder, lambda *told: print(*told, flush=True)))
    return bundle, dict(bundle.manifest.metrics)


def _served(bundle: Bundle, steam: Steam, encoder_knn: Ranker) -> dict[str, Ranker]:
    """Scores as the service computes them: user tower, signals and scorer of the bundle's own files."""
    vectors = bundle.embedder.embed(steam.items)
    candidates = [Candidate(item, 0.0, 0) for item in steam.items]

    def ranker(longest: int) -> Ranker:
        def score(past: Sequence[int]) -> Array:
            used = list(past)[:longest]
            history = bundle.history(vectors[used], ["purchase"] * len(used), [0.0] * len(used))
            user = bundle.user_tower.embed(history, None)
            signals = bundle.signals(candidates, [steam.items[one].key.id for one in used])
            found = bundle.scorer.score(None, user, vectors, signals)
            return found.gate * found.personal

        return score

    return {
        "encoder k-NN": encoder_knn,
        "item vectors k-NN": content_knn(vectors, most=False),
        "served": ranker(len(candidates)),
        "served, last 50 events": ranker(50),
    }
