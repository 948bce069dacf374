"""Movie search: real queries, about 24 candidates each, judged by people; the scorer trained on other queries."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from benchmarks.quality_rows import bar, row
from benchmarks.quality_served import as_judged, served_order
from benchmarks.report import real_data
from domain.catalogue import Kind
from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle, load_bundle
from recommender.evaluation.bm25 import Bm25
from recommender.evaluation.metrics import RankingMetrics, judge, ranking, tie_order
from recommender.evaluation.splits import is_reported

MOVIE: Final = Kind(
    "movie",
    "item_id",
    {
        "title": 3.0,
        "overview": 1.0,
        "tags": 1.0,
        "actors": 1.0,
        "characters": 1.0,
        "director": 1.0,
        "genres": 1.0,
    },
    category=("genres", "director"),
    number=("year",),
    signal=("votes", "vote_average", "popularity"),
)
TENANT: Final = "movies"
TASK: Final = "movies, judged candidates"
#: Weights that are tried for title and votes, beside 1 for all text.
TITLES: Final = (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0)
VOTES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass
class Query:
    """One query with its judged movies."""

    text: str
    reported: bool
    rows: list[int] = field(default_factory=list)
    grades: list[float] = field(default_factory=list)
    #: ``[n, 3]`` BM25 of the title, of all text, and ln(1 + votes).
    features: Array = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    #: ``[n]`` what the host's engine scores: BM25 of every field, the title's three times.
    engine: Array = field(default_factory=lambda: np.zeros(0, np.float32))


def measure(encoder: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures and bars."""
    items, queries = read()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        zero, trained = _bundles(items, queries, encoder, Path(folder))
    print(f"built and trained in {time.monotonic() - started:.0f} s: {trained.manifest.metrics}", flush=True)
    title, votes = tuned(queries)
    print(f"tuned: title {title:g}, all text 1, votes {votes:g}", flush=True)
    asked = [query for query in queries if query.reported]
    vectors = trained.embedder.embed(items)
    found = {
        "BM25, title three times": _judged(asked, [query.engine for query in asked]),
        "BM25 title + all + ln(1 + votes)": _judged(asked, [baseline(query, title, votes) for query in asked]),
        "served, bundle zero": _served(zero, asked, items, vectors),
        "served": _served(trained, asked, items, vectors),
    }
    against = "BM25 title + all + ln(1 + votes)"
    bars = [bar(TASK, "NDCG@10", found["served"].ndcg, found[against].ndcg, against, 1.015, strict=True)]
    return [row(TASK, *one) for one in found.items()], bars


def read() -> tuple[list[Item], list[Query]]:
    """The movies that are searched, and the judged queries with what the baselines read of them."""
    table = parquet.read_table(real_data("msrd_movies", "items.parquet")).to_pylist()
    movies = [movie | {"year": movie["year"] or None} for movie in table if movie["in_search_corpus"]]
    items = [MOVIE.item(movie, tenant=TENANT, revision=0) for movie in movies]
    row_of = {item.key.id: place for place, item in enumerate(items)}
    judgments = defaultdict(list)
    for one in parquet.read_table(real_data("msrd_movies", "search_judgments.parquet")).to_pylist():
        judgments[one["query_id"]].append((row_of[one["item_id"]], float(one["grade"])))
    queries = []
    for one in parquet.read_table(real_data("msrd_movies", "search_queries.parquet")).to_pylist():
        rows, grades = zip(*judgments[one["query_id"]], strict=True)
        queries.append(Query(one["query"], is_reported(one["cluster_id"]), list(rows), list(grades)))
    texts = [dict(item.texts) | {"": " ".join(item.texts.values())} for item in items]
    votes = np.log1p([item.signals.get("votes", 0.0) for item in items])
    weights = np.array([MOVIE.text[name] for name in MOVIE.text])
    bm25 = Bm25(texts)
    for start in range(0, len(queries), 500):
        some = queries[start : start + 500]
        for query, fields in zip(some, bm25.by_field([query.text for query in some]), strict=True):
            own = {name: scores[query.rows] for name, scores in fields.items()}
            query.features = np.stack([own["title"], own[""], votes[query.rows]], axis=1)
            query.engine = weights @ np.stack([own[name] for name in MOVIE.text])
    return items, queries


def baseline(query: Query, title: float, votes: float) -> NDArray[Any]:
    """The three features, weighted."""
    return np.asarray(query.features @ np.array([title, 1.0, votes]))


def tuned(queries: Sequence[Query]) -> tuple[float, float]:
    """The weights of title and votes that are best on all queries that may be tuned on."""
    known = [query for query in queries if not query.reported]

    def worth(weights: tuple[float, float]) -> float:
        return float(_judged(known, [baseline(query, *weights) for query in known]).ndcg.mean())

    return max(product(TITLES, VOTES), key=worth)


def _judged(queries: Sequence[Query], scores: Sequence[NDArray[Any]]) -> RankingMetrics:
    """The judged candidates of each query by these scores, ties blind to the truth."""
    ties = tie_order([str(place) for place in range(max(len(query.rows) for query in queries))])
    orders = [ranking(one, ties[: len(one)]).tolist() for one in scores]
    return judge(orders, [_wanted(query) for query in queries])


def _served(bundle: Bundle, queries: Sequence[Query], items: Sequence[Item], vectors: Array) -> RankingMetrics:
    orders = [served_order(bundle, query.text, _candidates(bundle, query, items, vectors)) for query in queries]
    return judge(orders, [_wanted(query) for query in queries])


def _candidates(bundle: Bundle, query: Query, items: Sequence[Item], vectors: Array) -> list[Candidate]:
    return [
        Candidate(items[place], float(score), 1, vectors[place], bundle.space)
        for place, score in zip(query.rows, query.engine, strict=True)
    ]


def _wanted(query: Query) -> set[int]:
    return {place for place, grade in enumerate(query.grades) if grade}


def _bundles(items: Sequence[Item], queries: Sequence[Query], encoder: str, folder: Path) -> tuple[Bundle, Bundle]:
    """The bundle before any judgment, and the one that learnt from those that may be learnt from."""
    from recommender.training.release import train_release
    from recommender.training.zero import build_bundle_zero

    base = build_bundle_zero([MOVIE], items, encoder, folder)
    zero = load_bundle(base)
    vectors = zero.embedder.embed(items)
    judged = [
        as_judged(query.text, _candidates(zero, query, items, vectors), query.grades)
        for query in queries
        if not query.reported
    ]
    trained = train_release(base, items, [], folder, lambda *told: print(*told, flush=True), judged=judged)
    return zero, load_bundle(trained)
