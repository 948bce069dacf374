"""A small world behind the service: a real engine, two tenants with equal ids, a toy bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from domain.catalogue import FilterType, Kind
from domain.errors import NotFound
from domain.items import Change, Item
from domain.ports import SearchEngine
from domain.releases import Generation, Pointer, Release, Stage
from domain.search import Query, QueryVector, Scope
from domain.versions import Creation, ItemOutcome, VectorState, pending, ready
from indexer.carry import waves
from plugin.embedded.database import Database
from plugin.embedded.engine import EmbeddedEngine
from plugin.embedded.generations import EmbeddedGenerations
from rerank_service.app import create_app
from rerank_service.parts import ServiceParts
from rerank_service.request import WINDOW
from rerank_service.shelf import RankingBundle
from tests.support.toy_bundle import ToyBundle
from tests.support.toy_embedder import ToyEmbedder

LISTING: Final = Kind(
    name="listing",
    id="listing_id",
    revision="version",
    text={"title": 3.0, "description": 1.0},
    category=("make",),
    number=("price",),
    signal=("views",),
    filter={
        "make": FilterType.KEYWORD,
        "price": FilterType.NUMBER,
        "sold": FilterType.BOOLEAN,
        "listed": FilterType.DATE,
    },
    audience="visible_to",
)
ARTICLE: Final = Kind(name="article", id="id", text={"title": 1.0})
KINDS: Final = {kind.name: kind for kind in (LISTING, ARTICLE)}
SPACE: Final = "toy"


def listing(id_: str, title: str, **fields: Any) -> dict[str, Any]:
    """A document of the host."""
    return {"listing_id": id_, "version": 1, "title": title, "visible_to": ["*"], **fields}


class World:
    """The parts of a service, each open to a test."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "sidetower.db")
        self.engine: SearchEngine = EmbeddedEngine(self.database)
        self.generations = EmbeddedGenerations(self.database)
        self.bundles: dict[str, RankingBundle] = {"toy-1": ToyBundle()}
        self.releases = {
            name: Release(name, Pointer(f"{name}-g1", "toy-1"), (f"{name}-g1",), Stage.SERVING) for name in KINDS
        }
        self.spaces: dict[str, str] = {f"{name}-g1": SPACE for name in KINDS}
        for name, kind in KINDS.items():
            types = {field: type_.value for field, type_ in kind.filter.items()}
            self.generations.create(Generation(f"{name}-g1", name, SPACE, kind.text, types))

    def tell(self, tenant: str, kind: Kind, *documents: Mapping[str, Any], embed: bool = True) -> None:
        """Store documents, and their vectors unless they are to stay pending."""
        revision = None if kind.revision else 1
        items = [kind.item(document, tenant=tenant, revision=revision) for document in documents]
        self.apply(items)
        self.engine.refresh(f"{kind.name}-g1")
        if embed:
            self.embed_all()

    def apply(self, changes: Sequence[Change]) -> list[ItemOutcome]:
        """Phase 0 of each change into its kind's generation."""
        outcomes: dict[int, ItemOutcome] = {}
        for wave in waves(changes):
            for kind in {change.key.kind for _, change in wave}:
                told = [(place, change) for place, change in wave if change.key.kind == kind]
                written = self.engine.write(f"{kind}-g1", [pending(change, time.time()) for _, change in told])
                outcomes.update(zip([place for place, _ in told], written, strict=True))
        return [outcomes[place] for place in range(len(changes))]

    def embed_all(self, space: str = SPACE) -> None:
        """Phase 1 of every pending item."""
        for generation in self.spaces:
            self.engine.refresh(generation)
            waiting = self.engine.scan(generation, limit=1_000, state=VectorState.PENDING)
            items = [one.change for one in waiting if isinstance(one.change, Item)]
            vectors = ToyEmbedder(space).embed(items)
            vectored = [
                ready(item, vector, space=space, inputs_hash="", written_at=time.time())
                for item, vector in zip(items, vectors, strict=True)
            ]
            if vectored:
                self.engine.write(generation, vectored, Creation.FORBIDDEN)
            self.engine.refresh(generation)

    def bundle(self, bundle_id: str) -> RankingBundle:
        """The bundle of this id."""
        if bundle_id not in self.bundles:
            raise NotFound(f"bundle {bundle_id}", expected="a bundle", got="none", fix="Publish it.")
        return self.bundles[bundle_id]

    def serve(self, kind: str, **pointer: str) -> None:
        """Point the kind's release elsewhere."""
        release = self.releases[kind]
        self.releases[kind] = replace(release, default=replace(release.default, **pointer))

    def parts(self) -> ServiceParts:
        """What `create_app` is handed."""
        return ServiceParts(
            engine=self.engine,
            release=self.releases.get,
            generation_space=self.spaces.get,
            bundle=self.bundle,
            kinds=KINDS,
            apply=self.apply,
            checks={"engine": lambda: self.engine.refresh("listing-g1")},
        )

    def app(self, **changed: Any) -> FastAPI:
        """The service, some of its parts replaced."""
        return create_app(replace(self.parts(), **changed))


def fill(world: World) -> None:
    """Two tenants with equal ids; the north's catalogue has a known taste for everyone."""
    world.tell(
        "north",
        LISTING,
        listing("n1", "red estate diesel", make="volvo", price=9000, sold=False, listed="2026-01-01", views=5),
        listing("n2", "red estate petrol", make="bmw", price=7000, sold=False, listed="2026-01-02", views=1),
        listing("n3", "red roadster petrol", make="mg", price=30000, sold=True, listed="2026-01-03"),
        listing("n4", "blue roadster petrol", make="mg", price=20000, sold=False, listed="2026-01-04"),
        listing("n5", "blue van diesel", make="ford", price=15000, sold=False, listed="2026-01-05"),
        listing("shared", "red cabriolet", make="fiat", price=4000, sold=False, listed="2026-01-06"),
        listing("dealer", "red auction lot", make="audi", price=100, visible_to=["dealers"]),
    )
    world.tell(
        "south",
        LISTING,
        listing("shared", "red lorry of the south", make="man", price=66000),
        listing("s1", "red tractor of the south", make="deutz", price=55000),
    )
    world.tell("north", ARTICLE, {"id": "a1", "title": "how to buy a red estate"})


def ids(answer: dict[str, Any]) -> list[str]:
    """The ids of the hits, in order."""
    return [hit["id"] for hit in answer["hits"]]


def seen(*ids_: str, kind: str = "listing", action: str = "view") -> list[dict[str, Any]]:
    """A history of a minute ago."""
    return [{"kind": kind, "id": id_, "action": action, "timestamp": time.time() - 60} for id_ in ids_]


def engine_order(world: World, text: str, tenant: str = "north") -> list[tuple[str, float]]:
    """Ids and scores of the hybrid window, straight from the engine."""
    vector = ToyBundle().embed_query(text)
    query = Query(text, None if vector is None else QueryVector(vector, "toy"), limit=WINDOW)
    return [(one.key.id, one.score) for one in world.engine.search("listing-g1", Scope(tenant), query)]
