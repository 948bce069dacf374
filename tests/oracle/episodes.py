"""Episodes with real processes: changes over HTTP while workers, service, Redis and node die; then the oracle looks."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final

import httpx
import numpy as np

from domain.catalogue import Kind
from domain.items import Change, ItemKey, Removal
from domain.versions import ItemOutcome, Outcome, StoredItem, VectorState
from indexer.comparison import SETTLED_AFTER
from indexer.reconcile import PENDING_AGE
from sidetower.parts import Parts
from tests.journeys.catalogue import Document, cars
from tests.journeys.house import KIND
from tests.oracle.model import Oracle, shown
from tests.oracle.town import WORKERS, Disaster, Town, patiently
from workers.settings import RECONCILE_EVERY

#: Operations of one episode.
OPERATIONS: Final = 55
#: Items of one episode's tenant.
ITEMS: Final = 12
#: Episodes at a time.
BESIDE: Final = 4
#: Seconds that a host goes on trying before this counts as a violation.
_INSISTENCE: Final = 240.0
#: Answers that settle nothing: the same change can be told again.
_UNSETTLED: Final = (404, 429, 500, 502, 503, 504)


@dataclass
class Episode:
    """One tenant's host: what it has, what it told, and what the oracle makes of the answers."""

    tenant: str
    rng: random.Random
    kind: Kind
    oracle: Oracle = field(default_factory=Oracle)
    #: What the host has now; a removed item stands as its revision alone.
    truth: dict[str, Document] = field(default_factory=dict)
    told: list[Document] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    #: Operations that were told.
    operations: int = 0

    def steps(self) -> Iterator[list[Document]]:
        """The changes of one operation after the other, as documents; one with ``removed`` is a removal."""
        for _ in range(OPERATIONS):
            yield self._next()

    def change(self, document: Document) -> Change:
        """The change that a document tells."""
        if "removed" in document:
            return Removal(ItemKey(self.tenant, KIND, document["listing_id"]), document["revision"])
        return self.kind.item(document, tenant=self.tenant)

    def answered(self, document: Document, outcome: Outcome) -> None:
        """The service told this of the change."""
        change = self.change(document)
        self.answers[outcome] += 1
        if wrong := self.oracle.answer(change, ItemOutcome(change.key, outcome)):
            self.wrong.append(wrong)

    def _next(self) -> list[Document]:
        draw = self.rng.random()
        if draw < 0.5 or not self.told:
            return [self._changed()]
        if draw < 0.6:
            return [self._removed()]
        if draw < 0.8:
            # Told before: a repetition, or something older that comes late.
            return [self.rng.choice(self.told)]
        if draw < 0.87:
            twin = self.rng.choice(list(self.truth.values()))
            return [self._content(twin["listing_id"], twin["revision"])]
        return [self._changed() for _ in range(5)]

    def _changed(self) -> Document:
        name = f"car-{self.rng.randrange(ITEMS)}"
        held = self.truth.get(name)
        if held is not None and "removed" not in held and self.rng.random() < 0.3:
            # Nothing that the item tower reads: the vector is carried over.
            self.truth[name] = held | {"revision": held["revision"] + 1, "views": held["views"] + 1}
        else:
            self.truth[name] = self._content(name, self._next_revision(name))
        return self.truth[name]

    def _removed(self) -> Document:
        name = self.rng.choice(list(self.truth))
        self.truth[name] = {"listing_id": name, "revision": self._next_revision(name), "removed": True}
        return self.truth[name]

    def _content(self, name: str, revision: int) -> Document:
        return cars(1, seed=self.rng.randrange(10_000))[0] | {"listing_id": name, "revision": revision}

    def _next_revision(self, name: str) -> int:
        return int(self.truth[name]["revision"]) + self.rng.randint(1, 3) if name in self.truth else 1


class Host:
    """Tells an episode's changes over HTTP, again and again until it is answered.

    Args:
        url: of the service.
        episode: whose changes.
    """

    def __init__(self, url: str, episode: Episode) -> None:
        self._episode = episode
        self._http = httpx.Client(
            base_url=url, headers={"X-Sidetower-Tenant": episode.tenant}, timeout=20, trust_env=False
        )

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def tell(self, documents: Sequence[Document]) -> None:
        """Tell these; one time in ten a change without an answer is given up: it may have happened or not."""
        for document in documents:
            self._episode.oracle.send(self._episode.change(document))
        self._episode.operations += 1
        self._episode.told += documents
        gives_up = self._episode.rng.random() < 0.1
        deadline = time.monotonic() + _INSISTENCE
        left = list(documents)
        while left := self._unanswered(left):
            self._episode.answers["no answer"] += len(left)
            if gives_up:
                return
            if time.monotonic() > deadline:
                self._episode.wrong.append(f"cannot be told: {left}")
                return
            time.sleep(0.2)

    def _unanswered(self, documents: Sequence[Document]) -> list[Document]:
        """Tell these once; those of them that got no answer which settles them."""
        try:
            answers = self._in_bulk(documents) if len(documents) > 1 else [self._alone(documents[0])]
        except httpx.TransportError:
            return list(documents)
        told = list(zip(documents, answers, strict=False))
        for document, answer in told:
            if answer is not None:
                self._episode.answered(document, answer)
        return [document for document, answer in told if answer is None] + list(documents[len(answers) :])

    def _alone(self, document: Document) -> Outcome | None:
        path = f"/v1/items/{KIND}/{document['listing_id']}"
        if "removed" in document:
            answer = self._http.delete(path, params={"revision": document["revision"]})
        else:
            answer = self._http.put(path, json=document)
        if answer.status_code == 409:
            return Outcome.CONFLICTING_REVISION
        if answer.status_code in _UNSETTLED:
            return None
        assert answer.status_code == 200, answer.text
        return Outcome(answer.json()["outcome"])

    def _in_bulk(self, documents: Sequence[Document]) -> list[Outcome | None]:
        answer = self._http.post("/v1/items/bulk", content=b"".join(map(_bulk_line, documents)))
        if answer.status_code in _UNSETTLED:
            return []
        assert answer.status_code == 200, answer.text
        return [_bulk_outcome(json.loads(line)) for line in answer.text.splitlines()]


def _bulk_line(document: Document) -> bytes:
    if "removed" in document:
        line = {"op": "delete", "id": document["listing_id"], "revision": document["revision"]}
    else:
        line = {"op": "put", "document": document}
    return json.dumps(line | {"kind": KIND}).encode() + b"\n"


def _bulk_outcome(line: dict[str, Any]) -> Outcome | None:
    """The outcome of a line; None for one that can be sent again."""
    if line["outcome"] == Outcome.FAILED and line.get("retry"):
        return None
    return Outcome(line["outcome"])


@dataclass
class Group:
    """Episodes on one town, some at a time, while disasters strike it; each has a tenant and an oracle of its own.

    Args:
        town: where they live.
        seed: of everything drawn.
        count: of episodes.
        disasters: what happens in the course of the group, in any order.
        hurried: at the end `sidetower work --once` finds what is left, instead of the workers by their schedule.
    """

    town: Town
    seed: int
    count: int
    disasters: Sequence[Disaster]
    hurried: bool = False
    episodes: list[Episode] = field(default_factory=list)

    def play(self) -> list[str]:
        """Every episode to its end, then what is wrong with the index and the answers."""
        parts = self.town.parts()
        kind = parts.config.kind(KIND)
        for number in range(self.count):
            seed = self.seed * 10_000 + number
            self.episodes.append(Episode(f"t{seed}", random.Random(seed), kind))
        due = self._moments()
        struck: SimpleQueue[tuple[Disaster, float] | None] = SimpleQueue()
        striking = threading.Thread(target=self._strike, args=(struck,))
        striking.start()
        try:
            with ThreadPoolExecutor(BESIDE) as pool:
                list(pool.map(lambda one: self._play(one, due, struck), self.episodes))
        finally:
            struck.put(None)
            striking.join()
        self._settle(parts)
        return [wrong for one in self.episodes for wrong in one.wrong] + self.wrong_at_the_end(parts)

    def _moments(self) -> dict[tuple[str, int], list[tuple[Disaster, float]]]:
        """What happens at which operation of which episode, and how many seconds after it has begun."""
        rng = random.Random(self.seed)
        due: dict[tuple[str, int], list[tuple[Disaster, float]]] = {}
        for disaster in self.disasters:
            moment = (rng.choice(self.episodes).tenant, rng.randrange(OPERATIONS))
            due.setdefault(moment, []).append((disaster, rng.uniform(0, 0.1)))
        return due

    def _play(
        self,
        episode: Episode,
        due: dict[tuple[str, int], list[tuple[Disaster, float]]],
        struck: SimpleQueue[tuple[Disaster, float] | None],
    ) -> None:
        host = Host(self.town.url, episode)
        try:
            for number, documents in enumerate(episode.steps()):
                for blow in due.get((episode.tenant, number), []):
                    struck.put(blow)
                host.tell(documents)
        finally:
            host.close()

    def _strike(self, struck: SimpleQueue[tuple[Disaster, float] | None]) -> None:
        rng = random.Random(self.seed + 1)
        while (blow := struck.get()) is not None:
            time.sleep(blow[1])
            self.town.suffer(blow[0], rng)

    def _settle(self, parts: Parts) -> None:
        """Whoever finds what is left is given the time to."""
        if self.hurried:

            def found() -> bool:
                self.town.house.run("work", "--once")
                return not self.wrong_at_the_end(parts)

            patiently(found, "the index is what the oracle says", 10 * SETTLED_AFTER)
            return
        # A new worker compares the generations when it starts, the others when their next pass is due.
        time.sleep(SETTLED_AFTER + 1)
        for number in range(WORKERS):
            self.town.replace_worker(number)
            self.town.happened[Disaster.WORKER_KILLED] += 1
        patience = PENDING_AGE + 3 * RECONCILE_EVERY + 60
        patiently(lambda: not self.wrong_at_the_end(parts), "the index is what the oracle says", patience)

    def wrong_at_the_end(self, parts: Parts) -> list[str]:
        """What is wrong with any item of these episodes, in any generation."""
        found: list[str] = []
        first: dict[ItemKey, str] = {}
        for generation in parts.view.for_writing(KIND).writing:
            stored = everything(parts, generation)
            for episode in self.episodes:
                mine = {key: one for key, one in stored.items() if key.tenant == episode.tenant}
                for key in episode.oracle.accounts.keys() | mine.keys():
                    held = mine.get(key)
                    if wrong := episode.oracle.wrong(key, held):
                        found.append(f"{generation}: {wrong}")
                    shape = shown(held.change) if held else "absent"
                    if first.setdefault(key, shape) != shape:
                        found.append(f"{generation}: {key} is {shape}, elsewhere {first[key]}")
            found += wrong_vectors(
                parts, generation, [one for one in stored.values() if one.key.tenant in self.tenants]
            )
        return found

    @property
    def tenants(self) -> set[str]:
        """Of these episodes."""
        return {one.tenant for one in self.episodes}


def everything(parts: Parts, generation: str) -> dict[ItemKey, StoredItem]:
    """All that the generation holds, after a refresh."""
    parts.engine.refresh(generation)
    found: dict[ItemKey, StoredItem] = {}
    after: ItemKey | None = None
    while page := parts.engine.scan(generation, after=after, limit=500):
        after = page[-1].key
        found |= {one.key: one for one in page}
    return found


def wrong_vectors(parts: Parts, generation: str, stored: Sequence[StoredItem]) -> list[str]:
    """Items without a vector, or with another content's."""
    items = [one for one in stored if one.item is not None]
    embedder = parts.embedder_of(generation)
    vectors = embedder.embed([one.item for one in items if one.item])
    found = []
    for one, vector in zip(items, vectors, strict=True):
        if one.vector_state is not VectorState.READY or one.vector is None or one.space != embedder.space:
            found.append(f"{generation}: {one.key} has no vector")
        elif float(np.abs(one.vector - vector).max()) > 1e-4:
            found.append(f"{generation}: {one.key} has another content's vector")
    return found
