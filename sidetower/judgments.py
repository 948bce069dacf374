"""Judgments: which items fit a query, read from a file and laid beside what the engine finds for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from domain.catalogue import as_number, as_text
from domain.errors import InvalidItem
from domain.search import Candidate, Query, QueryVector, Scope
from sidetower.training import PAGE, ReadLines

if TYPE_CHECKING:
    from domain.ports import ItemSource, SearchEngine
    from recommender.bundle import Bundle
    from recommender.training.relevance import JudgedQuery

#: Greater labels teach no more: their gain, 2^label - 1, would leave nothing for the others.
GREATEST_LABEL: Final = 10.0
#: Unjudged candidates of a query that has none that does not fit: the first ones that the engine finds.
UNJUDGED: Final = 100


@dataclass(frozen=True, slots=True)
class Judgment:
    """How well one item fits one query."""

    tenant: str
    query: str
    item_id: str
    #: 0 = not at all; greater fits better.
    label: float


@dataclass(slots=True)
class ReadJudgments(ReadLines):
    """A file of judgments."""

    judgments: list[Judgment] = field(default_factory=list)


def read_judgments(source: ItemSource, tenant: str) -> ReadJudgments:
    """Every judgment: ``query``, ``item_id``, and where they stand ``label`` and ``tenant``.

    Args:
        source: where they are; without ``label`` an item fits.
        tenant: whose they are where they do not say.
    """
    found = ReadJudgments()
    found.judgments = list(found.each(source, lambda document: _judgment(document, tenant)))
    return found


def judged_queries(
    engine: SearchEngine,
    generation: str,
    bundle: Bundle,
    judgments: Sequence[Judgment],
    tell: Callable[[str, int, int], None],
) -> list[JudgedQuery]:
    """The queries with their judged candidates, each with the engine's term that a search would give it.

    A judged item that the search does not find has the lowest term. Where everything judged fits, the first ones that
    the search finds stand for what does not. Items that are not there, or have no vector in the space yet, are left
    out.

    Args:
        engine: where the items are.
        generation: which is served.
        bundle: whose space it is.
        judgments: of one kind; of several of one query and item the last counts.
        tell: told how far it is.
    """
    labels: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for one in judgments:
        labels[one.tenant, one.query][one.item_id] = one.label
    scopes = _scopes(engine, generation, {tenant for tenant, _ in labels})
    found = []
    for done, ((tenant, text), own) in enumerate(sorted(labels.items())):
        if done % 100 == 0:
            tell("searching the judged queries", done, len(labels))
        query = _judged(engine, generation, bundle, scopes[tenant], text, own)
        if query is not None:
            found.append(query)
    return found


def _judged(
    engine: SearchEngine, generation: str, bundle: Bundle, scope: Scope, text: str, labels: Mapping[str, float]
) -> JudgedQuery | None:
    from recommender.training.relevance import JudgedQuery
    from rerank_service.ranking import engine_terms
    from rerank_service.request import WINDOW

    values = bundle.embed_query(text)
    vector = None if values is None else QueryVector(values, bundle.space)
    window = engine.search(generation, scope, Query(text, vector, limit=WINDOW))
    terms = dict(zip([one.key.id for one in window], engine_terms([one.score for one in window]).tolist(), strict=True))
    told = dict(labels)
    if min(told.values()) > 0:
        unjudged = [one.key.id for one in window if one.key.id not in told][:UNJUDGED]
        told |= dict.fromkeys(unjudged, 0.0)
    candidates = {one.key.id: one for one in window}
    lacking = [id_ for id_ in told if id_ not in candidates]
    candidates |= engine.lookup(generation, scope, lacking) if lacking else {}
    there = [candidates[id_] for id_ in told if id_ in candidates and _comparable(candidates[id_], bundle.space)]
    if not there:
        return None
    ids = [one.key.id for one in there]
    return JudgedQuery(
        text,
        tuple(replace(one, score=0.0) for one in there),
        tuple(terms.get(id_, 0.0) for id_ in ids),
        tuple(told[id_] for id_ in ids),
    )


def _comparable(candidate: Candidate, space: str) -> bool:
    return candidate.vector is not None and candidate.space == space


def _scopes(engine: SearchEngine, generation: str, tenants: set[str]) -> dict[str, Scope]:
    """For each tenant the scope of somebody who may see all of its items: judgments are about any of them."""
    groups: dict[str, set[str]] = {tenant: set() for tenant in tenants}
    after = None
    while page := engine.scan(generation, after, PAGE):
        for one in page:
            if one.item is not None and one.key.tenant in groups:
                groups[one.key.tenant].update(one.item.audience)
        after = page[-1].key
    return {tenant: Scope(tenant, frozenset(names)) for tenant, names in groups.items()}


def _judgment(document: Mapping[str, Any], tenant: str) -> Judgment:
    told = {name: as_text(document.get(name), name) for name in ("query", "item_id")}
    told["tenant"] = as_text(document.get("tenant"), "tenant") or tenant
    for name, value in told.items():
        if not value:
            fix = "Name it in every judgment." if name != "tenant" else "Name it in every judgment, or give --tenant."
            raise InvalidItem(f"field {name}", expected="a value", got="nothing", fix=fix)
    label = as_number(document.get("label"), "label")
    label = 1.0 if label is None else label
    if not 0 <= label <= GREATEST_LABEL:
        fix = "0 says that it does not fit; use few grades above."
        raise InvalidItem("field label", expected=f"0 to {GREATEST_LABEL:g}", got=f"{label:g}", fix=fix)
    return Judgment(label=label, **told)
