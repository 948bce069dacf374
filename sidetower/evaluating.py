"""Evaluation: a stored bundle on the items of its kind and on what people did with them, beside baselines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from domain.errors import ConfigurationError
from domain.vectors import DIMENSIONS, Array
from sidetower.rebuilding import steps
from sidetower.search_evaluation import SearchEvaluation, evaluate_searches

if TYPE_CHECKING:
    from domain.catalogue import Kind
    from domain.events import Event
    from domain.items import Item
    from recommender.bundle import Bundle
    from recommender.evaluation.comparison import Comparison
    from recommender.evaluation.intervals import Interval
    from recommender.evaluation.item_map import ItemMap
    from recommender.evaluation.measure import Place
    from sidetower.judgments import Judgment
    from sidetower.parts import Parts

#: Fewer cases than this say nothing.
FEWEST_CASES: Final = 20
#: Items of one page when they are read back, and of one call of the embedder.
PAGE: Final = 500

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a bundle."""

    #: Its id; empty = the one that serves the kind.
    bundle: str = ""
    #: Seconds since 1970: history before, answers from then on; None = a fifth of each person's items is hidden.
    since: float | None = None
    #: People that are asked about at most, of each tenant.
    people: int = 1_000
    #: Items that are retrieved for each of them before they are ranked.
    window: int = 200


@dataclass(frozen=True, slots=True)
class PeopleEvaluation:
    """How a bundle ranks for people, slice by slice; the first slice is all of them."""

    question: Question
    comparisons: Sequence[Comparison]
    #: Share of what is wanted that the window holds.
    window_recall: Interval
    #: What tuning chose for the baselines, by tenant.
    tuned: Mapping[str, Mapping[str, float | str]]
    #: What keeps the figures from being believed.
    doubts: Sequence[str] = field(default_factory=list)

    def to_document(self) -> dict[str, Any]:
        """The evaluation as JSON."""
        recall = self.window_recall
        return {
            "since": self.question.since,
            "window": self.question.window,
            "window_recall": {"value": recall.value, "low": recall.low, "high": recall.high},
            "slices": [one.to_document() for one in self.comparisons],
            "tuned": {tenant: dict(one) for tenant, one in self.tuned.items()},
            "doubts": list(self.doubts),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A bundle, and how it does for people and in searches, as far as somebody asked."""

    bundle: str
    space: str
    kind: str
    items: int
    #: The manifest's own figures.
    training: Mapping[str, Any]
    map: ItemMap
    people: PeopleEvaluation | None = None
    searches: SearchEvaluation | None = None

    def to_document(self) -> dict[str, Any]:
        """The evaluation as JSON."""
        return {
            "bundle": self.bundle,
            "space": self.space,
            "kind": self.kind,
            "items": self.items,
            "people": self.people.to_document() if self.people else None,
            "searches": self.searches.to_document() if self.searches else None,
            "training": dict(self.training),
        }


def evaluate(
    parts: Parts,
    kind: Kind,
    events: Sequence[Event] | None,
    judgments: Sequence[Judgment] | None,
    question: Question,
    tell: Progress,
) -> Evaluation:
    """Rank for people and for queries that no baseline learnt from, and compare.

    Args:
        parts: of the installation.
        kind: of the items.
        events: what people did; None = nobody is asked about.
        judgments: judged queries; None = no query is asked.
        question: of which bundle, and how.
        tell: told about progress.

    Raises:
        ConfigurationError: too few people or queries to say anything.
        NotFound, BundleRefused: the bundle is missing or damaged.
        Unavailable: the kind has no index yet.
    """
    from recommender.evaluation.item_map import map_items

    pointer = steps(parts, kind).release().default
    bundle = parts.bundle(question.bundle or pointer.bundle)
    places = [place for place in read_places(parts, pointer.generation, bundle, tell) if place.items]
    items = [item for place in places for item in place.items]
    return Evaluation(
        bundle=bundle.id,
        space=bundle.space,
        kind=kind.name,
        items=len(items),
        training=bundle.manifest.metrics,
        map=map_items(items, np.concatenate([place.vectors for place in places]), kind.title),
        people=None if events is None else evaluate_people(bundle, places, events, question, tell),
        searches=None
        if judgments is None
        else evaluate_searches(parts.engine, pointer.generation, kind, bundle, items, judgments, tell),
    )


def evaluate_people(
    bundle: Bundle, places: Sequence[Place], events: Sequence[Event], question: Question, tell: Progress
) -> PeopleEvaluation:
    """Rank all items for the reported people, and compare with baselines that learnt from the others.

    Raises:
        ConfigurationError: too few people to say anything.
    """
    from recommender.evaluation.comparison import compare
    from recommender.evaluation.intervals import intervals
    from recommender.evaluation.measure import OURS, Measured, measure, windowed_name

    splits = {place.tenant: _split(bundle, place, events, question) for place in places}
    asked = [place for place in places if splits[place.tenant].reported]
    _check_enough(sum(len(splits[place.tenant].reported) for place in asked))
    parted = [
        measure(bundle, place, splits[place.tenant], question.window, tell, tenants=len(asked)) for place in asked
    ]
    measured = Measured.joined(parted)
    own = (windowed_name(question.window),)
    return PeopleEvaluation(
        question=question,
        comparisons=[compare(name, found, OURS, own) for name, found in measured.slices.items()],
        window_recall=intervals(measured.window[:, np.newaxis])[0],
        tuned=measured.tuned,
        doubts=doubts(bundle.id, bundle.manifest.metrics, question.since),
    )


def _check_enough(cases: int) -> None:
    if cases < FEWEST_CASES:
        raise ConfigurationError(
            "events",
            expected=f"at least {FEWEST_CASES} people to ask about, of the 15 % that are reported on",
            got=str(cases),
            fix="Collect more events of people with two items or more; until then the answer is not known.",
        )


def doubts(bundle: str, metrics: Mapping[str, Any], since: float | None) -> list[str]:
    """What the bundle knows of the answers, as far as its manifest tells; nothing where it learnt from no events.

    Args:
        bundle: its id.
        metrics: of its manifest.
        since: as in `Question`.
    """
    from recommender.evaluation.splits import HELD_OUT, LEARNT_UNTIL, REPORTED_PERCENT

    if "epochs" not in metrics:
        return []
    if since is not None and metrics.get(LEARNT_UNTIL, np.inf) < since:
        return []
    if since is None and metrics.get(HELD_OUT) == REPORTED_PERCENT:
        return []
    way_out = "Train one with --hold-out" if since is None else "Train one on the events before that moment"
    return [f"{bundle} learnt from what it is asked here, so its figures are too good. {way_out} to know."]


def read_places(parts: Parts, generation: str, bundle: Bundle, tell: Progress) -> list[Place]:
    """The items of a generation by tenant, with their vectors in the bundle's space: stored ones, else new ones."""
    from recommender.evaluation.measure import Place

    parts.engine.refresh(generation)
    items: dict[str, list[Item]] = defaultdict(list)
    vectors: dict[str, list[Array]] = defaultdict(list)
    after, read = None, 0
    while page := parts.engine.scan(generation, after, PAGE):
        after = page[-1].key
        read += len(page)
        tell("reading items", read, 0)
        held = [one for one in page if one.item is not None]
        lacking = [one.item for one in held if one.item and (one.vector is None or one.space != bundle.space)]
        made = {item.key: vector for item, vector in zip(lacking, bundle.embedder.embed(lacking), strict=True)}
        for one in held:
            if one.item is not None:
                items[one.key.tenant].append(one.item)
                vectors[one.key.tenant].append(made[one.key] if one.key in made else np.asarray(one.vector))
    return [Place(tenant, found, np.stack(vectors[tenant]).reshape(-1, DIMENSIONS)) for tenant, found in items.items()]


def _split(bundle: Bundle, place: Place, events: Sequence[Event], question: Question) -> Any:
    from dataclasses import replace

    from recommender.evaluation.cases import split_people
    from recommender.evaluation.splits import id_hash

    row_of = {item.key.id: row for row, item in enumerate(place.items)}
    own = [event for event in events if event.tenant == place.tenant]
    split = split_people(own, row_of, bundle.counts, question.since)
    chosen = sorted(split.reported, key=lambda case: (id_hash("asked", case.person), case.person))[: question.people]
    return replace(split, reported=chosen)
