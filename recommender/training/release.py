"""The normal release: taste, relevance or both trained into the frozen item space of a bundle."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import ConfigurationError
from domain.events import Event
from domain.items import Item
from recommender.bundle import Bundle, load_bundle, open_networks
from recommender.evaluation.metrics import judge, ranking
from recommender.golden import golden_items, write_golden
from recommender.history import SECONDS_OF_A_DAY
from recommender.manifest import GOLDEN_FILE, RELEVANCE_FILE, SCORER_FILE, USER_TOWER_FILE, Manifest, file_hash
from recommender.neighbour_file import NEIGHBOURS_FILE, NeighbourTables, write_neighbours
from recommender.neighbours import SIGNALS, find_neighbours
from recommender.towers import OnnxScorer
from recommender.training.bootstrap import Progress
from recommender.training.descent import Course, Descent
from recommender.training.frameworks import load_tensorflow
from recommender.training.relevance import JudgedQuery, TrainedRelevance, train_relevance
from recommender.training.taste import CANDIDATES, CaseMaker, Cases, People
from recommender.training.taste_export import export_taste_scorer, export_taste_tower
from recommender.training.taste_networks import TasteNetworks, spread_of
from recommender.words import WORDS_FILE

BATCH: Final = 32
EPOCHS: Final = 10
#: An epoch has about so many batches at least: few people are asked about several times.
STEPS: Final = 30
RATE: Final = 3e-3
#: Fewer people with two items or more teach nothing.
FEWEST_PEOPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """How a release is trained."""

    epochs: int = EPOCHS
    seed: int = 0
    #: Where to keep the state, so that an interrupted training goes on; None = nowhere.
    checkpoint: Path | None = None


def train_release(
    base: Path,
    items: Sequence[Item],
    events: Sequence[Event],
    out: Path,
    progress: Progress | None = None,
    settings: Settings | None = None,
    *,
    judged: Sequence[JudgedQuery] | None = None,
) -> Path:
    """A bundle of the same space that learnt from events, from judgments, or from both.

    Events teach user tower, the personal part of the scorer and neighbours, judgments the relevance. What nothing is
    given for stays as the base has it. No item needs a new vector. People are trained on together, whatever their
    tenant; neighbours stay apart.

    Args:
        base: folder of the bundle whose space is kept.
        items: what events and judgments are about; events on other items are left out.
        events: what people did, in any order.
        out: the new bundle's folder is made in this one.
        progress: told what is being done, how far it is and how far it goes.
        settings: epochs, seed and checkpoint.
        judged: queries with their judged candidates; None = no judgments.

    Returns:
        The bundle's folder, named by its id.

    Raises:
        ConfigurationError: fewer than 50 people did something with two items or more, fewer than 30 queries tell
            anything, or the training extra is not installed.
        BundleRefused: the base is damaged, or an exported network does not compute what it should.
    """
    load_tensorflow()
    tell = progress or (lambda _stage, _done, _total: None)
    settings = settings or Settings()
    bundle = load_bundle(base)
    taste = _train_taste(bundle, items, events, settings, tell) if events or judged is None else None
    relevance = train_relevance(bundle, items, judged, settings.seed, tell) if judged is not None else None
    made_anew = {GOLDEN_FILE}
    made_anew |= {USER_TOWER_FILE, SCORER_FILE, NEIGHBOURS_FILE} if taste else set()
    made_anew |= {RELEVANCE_FILE, WORDS_FILE} if relevance else set()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as name:
        folder = Path(name) / "bundle"
        folder.mkdir()
        for part in bundle.manifest.files:
            if part not in made_anew:
                shutil.copyfile(base / part, folder / part)
        tell("exporting the networks", 0, 1)
        if taste:
            taste.write(folder)
        if relevance:
            relevance.write(folder)
        tell("exporting the networks", 1, 1)
        manifest = _describe(folder, base, bundle.manifest, items, taste, relevance)
        target = out / manifest.bundle
        if not target.exists():
            folder.rename(target)
    return target


@dataclass(frozen=True, slots=True, eq=False)
class _Taste:
    """What events taught."""

    networks: TasteNetworks
    #: Standard deviation of the personal score over a person's candidates.
    spread: float
    neighbours: NeighbourTables
    course: Course

    def write(self, folder: Path) -> None:
        """Write its files into the bundle's folder."""
        export_taste_tower(self.networks, folder / USER_TOWER_FILE)
        export_taste_scorer(self.networks, self.spread, folder / SCORER_FILE)
        write_neighbours(folder / NEIGHBOURS_FILE, self.neighbours)


def _train_taste(
    bundle: Bundle, items: Sequence[Item], events: Sequence[Event], settings: Settings, tell: Progress
) -> _Taste:
    places = people_of(bundle, items, events, tell)
    several = sum(len(one) > 1 for people in places.values() for one in people.rows)
    if several < FEWEST_PEOPLE:
        raise ConfigurationError(
            "events",
            expected=f"at least {FEWEST_PEOPLE} people with two items or more",
            got=str(several),
            fix="Collect more events; until then bundle zero serves.",
        )
    networks, course, spread = _train(list(places.values()), settings, bundle.manifest.history.length, tell)
    tables = {}
    for done, (place, people) in enumerate(places.items()):
        tell("counting neighbours", done, len(places))
        tables[place] = find_neighbours(people.ids, people.pairs())
    return _Taste(networks, spread, NeighbourTables(tables), course)


def people_of(
    bundle: Bundle, items: Sequence[Item], events: Sequence[Event], tell: Progress
) -> Mapping[tuple[str, str], People]:
    """What people did, for each tenant and kind; ages count from the last event of all.

    An action that says nothing (an impression) is left out; of several on one item the newest stands for all.
    """
    ids: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        ids[item.key.tenant, item.key.kind].append(item)
    recipe = bundle.manifest.history
    told: dict[tuple[str, str], dict[str, dict[str, Event]]] = defaultdict(lambda: defaultdict(dict))
    now = max((event.timestamp for event in events), default=0.0)
    for event in sorted(events, key=lambda one: -one.timestamp):
        if bundle.counts(event.action_name):
            told[event.tenant, event.object_kind][event.user_id].setdefault(event.object_id, event)
    found = {}
    for done, (place, members) in enumerate(sorted(ids.items())):
        tell("embedding items", done, len(ids))
        row = {item.key.id: number for number, item in enumerate(members)}
        vectors = bundle.embedder.embed(members)
        names, rows, histories = [], [], []
        for name, by_item in sorted(told[place].items()):
            past = [one for id_, one in by_item.items() if id_ in row]
            if past:
                names.append(name)
                rows.append(tuple(row[one.object_id] for one in past))
                weights = [recipe.weight(one.action_name) for one in past]
                days = [(now - one.timestamp) / SECONDS_OF_A_DAY for one in past]
                histories.append((np.array(weights, np.float32), np.log1p(days).astype(np.float32)))
        found[place] = People(tuple(row), vectors, tuple(names), tuple(rows), tuple(histories))
    return found


def _train(
    places: Sequence[People], settings: Settings, longest: int, tell: Progress
) -> tuple[TasteNetworks, Course, float]:
    tf = load_tensorflow()
    makers = []
    for done, people in enumerate(places):
        tell("counting neighbours of folds", done, len(places))
        makers.append(CaseMaker(people, longest, settings.seed))
    offsets = np.cumsum([0, *(len(people.ids) for people in places)])
    vectors = np.concatenate([people.vectors for people in places])
    late = Cases.joined([maker.validation() for maker in makers], offsets)
    first = Cases.joined([maker.train(0) for maker in makers], offsets)
    networks = TasteNetworks(first.signals, settings.seed)
    table = tf.constant(vectors)

    rounds = max(1, STEPS * BATCH // max(len(first.shares), 1))

    def batches(epoch: int) -> Iterator[tuple[Any, ...]]:
        for number in range(epoch * rounds, (epoch + 1) * rounds):
            cases = first if number == 0 else Cases.joined([maker.train(number) for maker in makers], offsets)
            order = np.random.default_rng([settings.seed, number]).permutation(len(cases.shares))
            for start in range(0, max(len(order) - BATCH + 1, 1), BATCH):
                yield tuple(tf.constant(one) for one in cases.batch(order[start : start + BATCH]))

    identity = (settings.seed, float(vectors.sum()), [people.rows for people in places])
    steps = settings.epochs * rounds * max(len(first.shares) // BATCH, 1)
    rate = tf.keras.optimizers.schedules.CosineDecay(RATE, steps, alpha=0.05)
    descent = Descent(
        networks.variables, lambda batch: networks.loss(table, batch), rate, settings.checkpoint, identity
    )
    course = descent.run(batches, lambda: _held_out(networks, vectors, late), settings.epochs, tell)
    return networks, course, spread_of(networks, vectors, first)


def _held_out(networks: TasteNetworks, vectors: Any, cases: Cases) -> float:
    """NDCG@10 plus recall@10 over the candidates of held-out people."""
    rows, wanted = [], []
    for start in range(0, len(cases.shares), BATCH):
        part = slice(start, start + BATCH)
        scored = np.asarray(networks.logits(vectors, cases.batch(part))[0])
        for logits, logq, shares in zip(scored, cases.logq[part], cases.shares[part], strict=True):
            # The sample stands for all items in the loss; in the ranking each stands for itself.
            plain = np.where(logq > -1e8, logits - logq, -np.inf)
            rows.append(ranking(plain, np.arange(CANDIDATES)[::-1], depth=20).tolist())
            wanted.append(set(np.flatnonzero(shares).tolist()))
    found = judge(rows, wanted)
    return float(found.ndcg.mean() + found.recall.mean())


def _describe(
    folder: Path,
    base: Path,
    before: Manifest,
    items: Sequence[Item],
    taste: _Taste | None,
    relevance: TrainedRelevance | None,
) -> Manifest:
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
    own = OnnxScorer(base / SCORER_FILE).columns
    signals = (
        *(SIGNALS if taste else before.signals[:own]),
        *(relevance.signals if relevance else before.signals[own:]),
    )
    metrics = dict(before.metrics) | {"trained_from": before.bundle}
    if taste:
        metrics |= {
            "epochs": len(taste.course.metrics),
            "loss": [round(one, 4) for one in taste.course.losses],
            "held_out": [round(one, 4) for one in taste.course.metrics],
        }
    if relevance:
        metrics["relevance"] = relevance.metrics()
    manifest = replace(
        before,
        files=files,
        signals=signals,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        metrics=metrics,
    )
    manifest = replace(manifest, user_tower_space=manifest.space, scorer_space=manifest.space)
    write_golden(folder, open_networks(folder, manifest), golden_items(manifest.schema, items))
    manifest = replace(manifest, files=files | {GOLDEN_FILE: file_hash(folder / GOLDEN_FILE)})
    manifest.write(folder)
    return manifest
