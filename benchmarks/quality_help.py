"""Help centres: customers' questions, and the article, the thread or the answers that are right for each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyarrow import parquet

from benchmarks.quality_rows import gain, row
from benchmarks.quality_served import served_order
from benchmarks.report import real_data
from domain.catalogue import Kind
from domain.items import Item
from domain.releases import Generation
from domain.search import Query, QueryVector, Scope
from domain.versions import Phase, StoredItem, VectorState
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from recommender.bundle import Bundle, load_bundle
from recommender.evaluation.bm25 import Bm25
from recommender.evaluation.metrics import DEEP, RankingMetrics, judge, ranking, tie_order
from recommender.evaluation.splits import is_reported
from rerank_service.request import WINDOW
from sidetower.judgments import Judgment, judged_queries

TENANT: Final = "help"
ARTICLE: Final = Kind("article", "article_id", {"title": 3.0, "headings": 1.0, "body": 1.0})
THREAD: Final = Kind("thread", "faq_id", {"question": 3.0, "answers": 1.0})
ANSWER: Final = Kind("answer", "answer_id", {"question": 3.0, "text": 1.0})
#: Weights of the title that are tried for BM25, beside 1 for every other field.
TITLES: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
BASELINE: Final = "BM25, title weighted"
TASKS: Final = {"article": "help, articles", "thread": "help, threads", "answer": "help, question-answer pairs"}


@dataclass(frozen=True)
class Asked:
    """One question to the items of one kind."""

    kind: str
    text: str
    wanted: frozenset[str]
    reported: bool


@dataclass(frozen=True)
class Help:
    """Items of every kind, and what is asked of them."""

    items: dict[str, list[Item]]
    asked: list[Asked]

    def of(self, kind: str, *, reported: bool) -> list[Asked]:
        """The questions of one kind on one side of the split."""
        return [one for one in self.asked if one.kind == kind and one.reported == reported]


def measure(encoder: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures and bars; articles are left to the bootstrap encoder, which is fast on long texts."""
    kinds = [THREAD, ANSWER, *([ARTICLE] if encoder == "bootstrap" else [])]
    world = read(kinds)
    found: dict[str, dict[str, RankingMetrics]] = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        engine, zero, trained = _trained(kinds, world, encoder, Path(name))
        print(f"built and trained in {time.monotonic() - started:.0f} s: {trained.manifest.metrics}", flush=True)
        for kind in kinds:
            found[kind.name] = {
                BASELINE: _bm25(kind, world),
                "served, bundle zero": _served(engine, kind, zero, world),
                "served": _served(engine, kind, trained, world),
            }
    figures = [row(TASKS[kind], *one) for kind in found for one in found[kind].items()]
    return figures, _bars(found, encoder)


def read(kinds: Sequence[Kind]) -> Help:
    """Items in the order of their ids; a thread's paraphrases are on one side of the split."""
    answers = parquet.read_table(real_data("stack_faq", "answers.parquet")).to_pylist()
    threads = {one["faq_id"]: one for one in parquet.read_table(real_data("stack_faq", "faqs.parquet")).to_pylist()}
    queries = parquet.read_table(real_data("stack_faq", "queries.parquet")).to_pylist()
    texts = {id_: [one["text"] for one in answers if one["faq_id"] == id_] for id_ in threads}
    documents: dict[str, list[dict[str, Any]]] = {
        "thread": [one | {"answers": "\n\n".join(texts[id_])} for id_, one in threads.items()],
        "answer": [one | {"question": threads[one["faq_id"]]["question"]} for one in answers],
    }
    asked = []
    for one in queries:
        own = frozenset(str(answer["answer_id"]) for answer in answers if answer["faq_id"] == one["faq_id"])
        reported = is_reported(one["faq_id"])
        asked.append(Asked("thread", one["query"], frozenset({str(one["faq_id"])}), reported))
        asked.append(Asked("answer", one["query"], own, reported))
    if ARTICLE in kinds:
        documents["article"] = parquet.read_table(real_data("aws_docs", "articles.parquet")).to_pylist()
        for one in parquet.read_table(real_data("aws_docs", "questions.parquet")).to_pylist():
            id_ = one["article_id"]
            asked.append(Asked("article", one["question"], frozenset({id_}), is_reported(id_)))
    items = {kind.name: [kind.item(one, tenant=TENANT, revision=0) for one in documents[kind.name]] for kind in kinds}
    return Help(items, asked)


def _trained(kinds: Sequence[Kind], world: Help, encoder: str, folder: Path) -> tuple[EmbeddedEngine, Bundle, Bundle]:
    """An index of each kind, bundle zero, and the bundle that learnt from the questions that may be learnt from."""
    from recommender.training.release import train_release
    from recommender.training.zero import build_bundle_zero

    items = [item for kind in kinds for item in world.items[kind.name]]
    base = build_bundle_zero(kinds, items, encoder, folder)
    zero = load_bundle(base)
    database = Database(folder / "engine.db")
    engine, generations = EmbeddedEngine(database), EmbeddedGenerations(database)
    judged = []
    for kind in kinds:
        generations.create(Generation(kind.name, kind.name, zero.space, kind.text))
        own = world.items[kind.name]
        vectors = zero.embedder.embed(own)
        stored = [
            StoredItem(item, Phase.VECTOR, VectorState.READY, vector, zero.space)
            for item, vector in zip(own, vectors, strict=True)
        ]
        engine.write(kind.name, stored)
        told = [
            Judgment(TENANT, one.text, id_, 1.0) for one in world.of(kind.name, reported=False) for id_ in one.wanted
        ]
        judged += judged_queries(engine, kind.name, zero, told, lambda *_: None)
    trained = train_release(base, items, [], folder, lambda *told: print(*told, flush=True), judged=judged)
    return engine, zero, load_bundle(trained)


def _served(engine: EmbeddedEngine, kind: Kind, bundle: Bundle, world: Help) -> RankingMetrics:
    """The window that the service retrieves by text and vector, ranked as it ranks it."""
    orders, wanted = [], []
    for one in world.of(kind.name, reported=True):
        values = bundle.embed_query(one.text)
        vector = None if values is None else QueryVector(values, bundle.space)
        window = engine.search(kind.name, Scope(TENANT), Query(one.text, vector, limit=WINDOW))
        order = [window[place].key.id for place in served_order(bundle, one.text, window)]
        ids = list(dict.fromkeys([*order, *sorted(one.wanted)]))
        orders.append(list(range(len(order))))
        wanted.append({ids.index(id_) for id_ in one.wanted})
    return judge(orders, wanted)


def _bm25(kind: Kind, world: Help) -> RankingMetrics:
    """BM25 over all items, the title's weight tuned on the questions that may be learnt from."""
    items = world.items[kind.name]
    row_of = {item.key.id: place for place, item in enumerate(items)}
    ties = tie_order(list(row_of))
    bm25 = Bm25([item.texts for item in items])

    def judged(questions: Sequence[Asked], title: float) -> RankingMetrics:
        weights = np.array([title if name == kind.title else 1.0 for name in kind.text])
        orders = [
            ranking(weights @ np.stack([fields[name] for name in kind.text]), ties, depth=DEEP).tolist()
            for fields in bm25.by_field([one.text for one in questions])
        ]
        return judge(orders, [{row_of[id_] for id_ in one.wanted} for one in questions])

    known = world.of(kind.name, reported=False)
    worth = {title: float(np.mean([*judged(known, title).reciprocal_rank])) for title in TITLES}
    best = max(TITLES, key=lambda title: worth[title])
    print(f"tuned: {kind.name} title {best:g}", flush=True)
    return judged(world.of(kind.name, reported=True), best)


def _bars(found: dict[str, dict[str, RankingMetrics]], encoder: str) -> list[dict[str, Any]]:
    pairs = found["answer"]
    ours, theirs = pairs["served"].ndcg, pairs[BASELINE].ndcg
    if encoder != "bootstrap":
        value = float(ours.mean())
        return [
            {
                "task": TASKS["answer"],
                "metric": "NDCG@10",
                "against": "(a figure)",
                "found": f"{value:.3f}",
                "bar": ">= 0.86",
                "reached": "yes" if value >= 0.86 else "no",
                "cases": len(ours),
            }
        ]
    pooled = [
        np.concatenate([found[kind][method].reciprocal_rank for kind in ("article", "thread")])
        for method in ("served", BASELINE)
    ]
    return [
        gain("help, articles and threads", "MRR@10", pooled[0], pooled[1], BASELINE, 0),
        gain(TASKS["answer"], "NDCG@10", ours, theirs, BASELINE, 0.05),
    ]
