"""Steam games: new users with a fifth of their games hidden, all games known or a tenth of them new to everything."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyarrow import parquet

from benchmarks.quality_rows import METRICS, bar, best_of, row
from benchmarks.report import real_data
from domain.catalogue import Kind
from domain.events import Event
from domain.items import Item
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.evaluation.baselines import Ranker, content_knn, tf_idf
from recommender.evaluation.cases import HIDDEN_SHARE, TUNING_PERCENT, Act, Case, by_scores, judged
from recommender.evaluation.fitted import attribute_words, fit_baselines
from recommender.evaluation.metrics import RankingMetrics, Rows, tie_order
from recommender.evaluation.served import Served
from recommender.evaluation.splits import hide_share, id_hash, is_cold, is_reported

#: Scores of all games for a case, by method.
Rankers = dict[str, Callable[[Case], Array]]

GAME: Final = Kind(
    "game",
    "item_id",
    {"title": 2.0, "about": 1.0},
    category=("developer", "publisher", "platforms", "categories", "genres", "tags"),
    number=("price_gbp_2019", "year", "achievements"),
)
TENANT: Final = "steam"


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
    ties = tie_order([item.key.id for item in steam.items])
    rankers: Rankers = {name: _of_rows(one) for name, one in _baselines(steam, known, hidden, ties).items()}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bundle, trained = _trained(steam, known, hidden, encoder, Path(folder))
        rankers |= _served(bundle, steam)
    print(f"built and trained in {time.monotonic() - started:.0f} s: {trained}", flush=True)
    name = "steam, cold games" if cold else "steam, new users"
    people = {person: steam.owned[person] for person in steam.people(True)}
    if not cold:
        found = _judged(rankers, [_case(person, games) for person, games in people.items()], ties)
        return [row(name, *one) for one in found.items()], _warm_bars(name, found)
    figures, bars = [], []
    cases = [_cold_case(person, games, hidden) for person, games in people.items()]
    cases = [case for case in cases if case.past and case.wanted]
    warm = set(range(len(steam.items))) - hidden
    for part, reach, left_out in ((f"{name}, all compete", 1.0, set()), (f"{name}, among cold", 1.05, warm)):
        found = _judged(rankers, cases, ties, left_out)
        figures += [row(part, *one) for one in found.items()]
        best = best_of(found, "recall@10", ("TF-IDF k-NN", "encoder k-NN"))
        bars.append(bar(part, "recall@10", found["served"].recall, found[best].recall, best, reach, strict=False))
    return figures, bars


def _judged(
    rankers: Rankers, cases: Sequence[Case], ties: Rows, hidden: Collection[int] = ()
) -> dict[str, RankingMetrics]:
    orders = {name: by_scores(ranker, ties, hidden) for name, ranker in rankers.items()}
    return {name: judged([order(case) for case in cases], cases) for name, order in orders.items()}


def _case(person: str, games: Sequence[int]) -> Case:
    """Hidden is a fifth of a person's games."""
    shown, wanted = hide_share(person, games, HIDDEN_SHARE)
    return _asked(person, shown, wanted)


def _cold_case(person: str, games: Sequence[int], cold: Collection[int]) -> Case:
    """Hidden are all of the cold ones."""
    return _asked(person, [game for game in games if game not in cold], [game for game in games if game in cold])


def _asked(person: str, shown: Sequence[int], wanted: Sequence[int]) -> Case:
    return Case(person, tuple(Act(game, "purchase", 0.0) for game in shown), frozenset(wanted))


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


def _baselines(steam: Steam, known: dict[str, list[int]], hidden: set[int], ties: Rows) -> Mapping[str, Ranker]:
    """Each tuned on a part of the training people, then counted on all of them."""
    late = [person for person in known if id_hash("tuning", person) % 100 < TUNING_PERCENT]
    tuning = [_case(person, known[person]) for person in late if len(known[person]) > 1]
    seen = [number not in hidden for number in range(len(steam.items))]
    words = tf_idf([_words(item) for item in steam.items], seen)
    fitted = fit_baselines([item.key.id for item in steam.items], words, known, tuning, ties)
    print(f"tuned: {dict(fitted.tuned)}", flush=True)
    return fitted.rankers


def _words(item: Item) -> str:
    """Title and attributes."""
    return " ".join([item.texts["title"], *attribute_words(item)])


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


def _served(bundle: Bundle, steam: Steam) -> Rankers:
    """Scores as the service computes them, and k-NN by what they stand on."""
    vectors = bundle.embedder.embed(steam.items)
    return {
        "encoder k-NN": _of_rows(content_knn(bundle.features.text(steam.items), most=False)),
        "item vectors k-NN": _of_rows(content_knn(vectors, most=False)),
        "served": Served(bundle, steam.items, vectors, len(steam.items)).scores,
        "served, last 50 events": Served(bundle, steam.items, vectors).scores,
    }


def _of_rows(ranker: Ranker) -> Callable[[Case], Array]:
    return lambda case: ranker(case.rows)
