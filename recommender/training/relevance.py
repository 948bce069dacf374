"""Relevance: what fits a query, learnt from judged candidates, as the service reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import ConfigurationError
from domain.items import Item
from domain.search import Candidate
from domain.vectors import Array
from recommender.bundle import Bundle
from recommender.evaluation.metrics import judge, ranking, tie_order
from recommender.evaluation.splits import id_hash
from recommender.manifest import RELEVANCE_FILE
from recommender.scalers import Scaler
from recommender.signals import read_signals
from recommender.training.bootstrap import Progress
from recommender.training.descent import Course, Descent
from recommender.training.frameworks import load_tensorflow
from recommender.training.relevance_network import RelevanceNetwork, export_relevance
from recommender.words import QUERY_SIGNALS, WORDS_FILE, QueryWords, count_words, write_words

BATCH: Final = 64
EPOCHS: Final = 10
#: An epoch has about so many batches at least.
STEPS: Final = 30
RATE: Final = 3e-3
#: Share of queries that tell when to stop.
VALIDATION_PERCENT: Final = 12
#: Fewer queries that tell something teach nothing.
FEWEST_QUERIES: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class JudgedQuery:
    """One query and the candidates that somebody judged."""

    text: str
    #: n of one tenant and kind, each with its vector in the bundle's space.
    candidates: tuple[Candidate, ...]
    #: ``[n]`` the engine's term, 0 to 1, as the service adds it.
    engine: tuple[float, ...]
    #: ``[n]`` 0 = does not fit; greater fits better.
    labels: tuple[float, ...]

    @property
    def tells(self) -> bool:
        """Whether anything is better than anything else in it."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True, slots=True, eq=False)
class _Cases:
    """q judged queries, n candidates each, the lacking ones labelled -1."""

    #: ``[q, n, 1 + s]`` cosine and signals.
    columns: Array
    #: ``[q, n]``
    engine: Array
    #: ``[q, n]``
    labels: Array

    def batch(self, rows: Any) -> tuple[Array, Array, Array]:
        """These cases."""
        return self.columns[rows], self.engine[rows], self.labels[rows]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRelevance:
    """A trained relevance, ready to be written."""

    #: Names of its signals, in the order of its columns.
    signals: tuple[str, ...]
    network: RelevanceNetwork
    words: Array
    course: Course
    queries: int

    def write(self, folder: Path) -> None:
        """Write its files into the bundle's folder.

        Raises:
            BundleRefused: the exported network does not compute what it should.
        """
        export_relevance(self.network, len(self.signals), folder / RELEVANCE_FILE)
        write_words(folder / WORDS_FILE, self.words)

    def metrics(self) -> dict[str, Any]:
        """How its training went."""
        return {
            "queries": self.queries,
            "epochs": len(self.course.metrics),
            "loss": [round(one, 4) for one in self.course.losses],
            "held_out": [round(one, 4) for one in self.course.metrics],
        }


def train_relevance(
    bundle: Bundle, items: Sequence[Item], judged: Sequence[JudgedQuery], seed: int, tell: Progress
) -> TrainedRelevance:
    """The relevance that these judgments teach.

    Args:
        bundle: whose query and item vectors are read.
        items: what rare words are told from common ones by.
        judged: queries of any tenants and kinds; those in which nothing is better than anything else are left out.
        seed: of everything random.
        tell: told what is being done, how far it is and how far it goes.

    Raises:
        ConfigurationError: fewer than 30 queries tell anything.
    """
    tf = load_tensorflow()
    telling = [query for query in judged if query.tells]
    if len(telling) < FEWEST_QUERIES:
        raise ConfigurationError(
            "judgments",
            expected=f"at least {FEWEST_QUERIES} queries with candidates that fit and others that do not",
            got=str(len(telling)),
            fix="Judge more queries; until then the query's nearness serves.",
        )
    words = count_words(items)
    own = sorted({name for query in telling for one in query.candidates for name in one.item.signals})
    signals = (*QUERY_SIGNALS, *own)
    cases = _read(bundle, QueryWords(words), signals, telling, tell)
    late = np.array([id_hash("validation", query.text) % 100 < VALIDATION_PERCENT for query in telling])
    if late.all() or not late.any():  # somebody has to say when it is enough
        late[:] = np.arange(len(late)) == 0
    early = np.flatnonzero(~late)
    there = cases.labels[early] >= 0
    network = RelevanceNetwork(cases.columns[early][there], _skewed(cases.columns[early][there], signals, own), seed)
    rounds = max(1, STEPS * BATCH // len(early))

    def batches(epoch: int) -> Iterator[tuple[Any, ...]]:
        for number in range(epoch * rounds, (epoch + 1) * rounds):
            order = early[np.random.default_rng([seed, number]).permutation(len(early))]
            for start in range(0, max(len(order) - BATCH + 1, 1), BATCH):
                yield tuple(tf.constant(one) for one in cases.batch(order[start : start + BATCH]))

    steps = EPOCHS * rounds * max(len(early) // BATCH, 1)
    rate = tf.keras.optimizers.schedules.CosineDecay(RATE, steps, alpha=0.05)
    descent = Descent(network.variables, lambda batch: network.loss(*batch), rate)
    held_out = cases.batch(np.flatnonzero(late))
    course = descent.run(batches, lambda: _ndcg(network, held_out), EPOCHS, tell, "training relevance")
    network.centre(cases.columns[early][there])
    return TrainedRelevance(signals, network, words, course, len(telling))


def _read(
    bundle: Bundle, words: QueryWords, signals: Sequence[str], judged: Sequence[JudgedQuery], tell: Progress
) -> _Cases:
    """Everything that the network reads, by the path that serving takes."""
    width = max(len(query.candidates) for query in judged)
    columns = np.zeros((len(judged), width, 1 + len(signals)), np.float32)
    engine = np.zeros((len(judged), width), np.float32)
    labels = np.full((len(judged), width), -1, np.float32)
    for row, query in enumerate(judged):
        if row % 100 == 0:
            tell("reading judged queries", row, len(judged))
        count, kind = len(query.candidates), query.candidates[0].item.key.kind
        asked = words.columns(query.text, query.candidates, bundle.manifest.schema.kind(kind).texts[0])
        columns[row, :count, 1:] = read_signals(signals, bundle.neighbours, query.candidates, (), asked)
        vector = bundle.embed_query(query.text)
        if vector is not None:
            columns[row, :count, 0] = [float(vector @ one.vector) for one in query.candidates if one.vector is not None]
        engine[row, :count], labels[row, :count] = query.engine, query.labels
    return _Cases(columns, engine, labels)


def _skewed(columns: Array, signals: Sequence[str], own: Sequence[str]) -> Array:
    """``[1 + s]`` 1 for items' own signals that are read by their logarithms."""
    logged = [name in own and Scaler.fit(columns[:, 1 + place].tolist()).log for place, name in enumerate(signals)]
    return np.array([0, *logged], np.float32)


def _ndcg(network: RelevanceNetwork, cases: tuple[Array, Array, Array]) -> float:
    columns, engine, labels = cases
    ties = tie_order([str(place) for place in range(labels.shape[1])])
    scores = np.where(labels >= 0, np.asarray(network.logits(columns, engine)), -np.inf)
    found = judge(
        [ranking(one, ties).tolist() for one in scores],
        [set(np.flatnonzero(one > 0).tolist()) for one in labels],
    )
    return float(found.ndcg.mean())
