"""The demo's house: the generated world indexed into a folder of its own, on the embedded engine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from domain.catalogue import Kind
from domain.items import Item
from domain.search import Candidate, Query, Scope
from domain.work import Lane
from indexer.fill import FillReport
from rerank_service.deadline import Deadline
from rerank_service.request import Answer, PastEvent, SearchRequest, SimilarRequest
from sidetower.config import load_config
from sidetower.indexing import Progress, build_bundle, fill_kind, first_generation
from sidetower.parts import Parts
from sidetower.world import DemoEdit, DemoSearch, Shopper, World, build

#: Files and folders of an earlier demo that are replaced.
_OWN: Final = ("engine.db", "engine.db-wal", "engine.db-shm")
#: Seconds that a demo search may take; its bundle is loaded already.
_PATIENCE: Final = 10.0


class Demo:
    """The demo world, indexed and ready to ask.

    Args:
        folder: of the configuration, the engine, the bundles and the generated documents.
        seed: another seed, another world.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.world: World = build(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for name in _OWN:
            (folder / name).unlink(missing_ok=True)
        self.config = folder / "sidetower.toml"
        self.config.write_text(self.world.config_toml, encoding="utf-8")
        self.parts = Parts(load_config(self.config, {}), threads=2)
        self._shoppers = {(one.tenant, one.user_id): one for one in self.world.shoppers}

    def kind(self, name: str) -> Kind:
        """One of the two kinds."""
        return self.parts.config.kind(name)

    def items(self, kind: str) -> Iterator[Item]:
        """The items of a kind, of both its tenants."""
        for tenant, document in self.world.documents[kind]:
            yield self.kind(kind).item(document, tenant=tenant)

    def write_documents(self) -> list[Path]:
        """One JSONL file for each kind and tenant, for people to look at and to index by hand."""
        written: dict[Path, list[str]] = {}
        for kind, documents in self.world.documents.items():
            for tenant, document in documents:
                path = self.folder / f"{kind}-{tenant}.jsonl"
                written.setdefault(path, []).append(json.dumps(document, ensure_ascii=False) + "\n")
        for path, lines in written.items():
            path.write_text("".join(lines), encoding="utf-8")
        return list(written)

    def build(self, progress: Progress, on_fill: Callable[[str, FillReport], None]) -> None:
        """One bundle for both kinds, then both indexes."""
        kinds = [self.kind(name) for name in self.world.documents]
        items = [item for kind in kinds for item in self.items(kind.name)]
        bundle_id = build_bundle(self.parts, kinds, items, "bootstrap", progress)
        for kind in kinds:
            first_generation(self.parts, kind, bundle_id)
            fill_kind(self.parts, kind, lambda kind=kind: self.items(kind.name), lambda r, k=kind: on_fill(k.name, r))  # type: ignore[misc]

    def shopper(self, search: DemoSearch) -> Shopper | None:
        """Who searches, if anybody in particular."""
        return self._shoppers.get((search.tenant, search.user_id))

    def by_text(self, search: DemoSearch, limit: int) -> list[Candidate]:
        """What the engine's text search alone answers."""
        scope = Scope(search.tenant)
        return self.parts.engine.search(self._generation(search.kind), scope, Query(text=search.text, limit=limit))

    def ranked(self, search: DemoSearch) -> Answer:
        """What Sidetower answers to that person."""
        request = SearchRequest(
            search.kind,
            Scope(search.tenant),
            text=search.text,
            user=search.user_id,
            history=self._history(search),
            deadline=Deadline(_PATIENCE),
        )
        return self.parts.searches.search(request)

    def similar(self, kind: str, tenant: str, id_: str, limit: int) -> Answer:
        """The items most like one item."""
        return self.parts.searches.similar(SimilarRequest(kind, Scope(tenant), id=id_, limit=limit))

    def change(self, edit: DemoEdit) -> dict[str, float]:
        """Tell the change; milliseconds until it was acknowledged, found by text, and embedded."""
        item = self.kind(edit.kind).item(edit.after, tenant=edit.tenant)
        began = time.perf_counter()
        self.parts.live.apply([item])
        told = time.perf_counter()
        self.parts.engine.refresh(self._generation(edit.kind))
        found = self.by_text(DemoSearch(edit.kind, edit.tenant, edit.text, "", ""), 1)
        by_text = time.perf_counter()
        self.parts.drainer.drain(Lane.LIVE, seconds=10)
        embedded = time.perf_counter()
        if [one.key for one in found] != [item.key]:
            raise AssertionError(f"{item.key} was not found by {edit.text!r}")
        moments = {"acknowledged": told, "found by text": by_text, "vector written": embedded}
        return {name: 1000 * (moment - began) for name, moment in moments.items()}

    def _generation(self, kind: str) -> str:
        return self.parts.view.for_writing(kind).default.generation

    def _history(self, search: DemoSearch) -> tuple[PastEvent, ...]:
        """The shopper's events, moved from the world's present to ours."""
        shopper = self.shopper(search)
        if shopper is None:
            return ()
        later = datetime.now(UTC).timestamp() - self.world.now.timestamp()
        return tuple(
            PastEvent(event.object_kind, event.object_id, event.action_name, event.timestamp + later)
            for event in shopper.events[-50:]
        )
