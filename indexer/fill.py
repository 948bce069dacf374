"""Filling: items of a source go into generations with their vectors in one write."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from domain.errors import BundleRefused, Busy, InvalidItem, Unavailable
from domain.items import Item, ItemKey
from domain.ports import ItemEmbedder, SearchEngine
from domain.vectors import Array
from domain.versions import Creation, ItemOutcome, Outcome, Phase, StoredItem, VectorState, judge, pending
from indexer.carry import fits

#: Items of one batch at most: long enough that sorting by text length and one large write pay.
BATCH: Final = 512
#: Characters of text at most, so that progress is even and memory bounded where texts are long.
BATCH_CHARACTERS: Final = 500_000
#: Batches on their way to the engine while one is embedded: it has the next before it is done with the last.
WRITES: Final = 2
#: Errors kept with their text; all are counted.
ERRORS_KEPT: Final = 100
#: So many items that cannot be embedded, and none that can: the bundle is broken.
BROKEN_BUNDLE: Final = 100
#: Seconds between attempts while the engine asks for less, and how long that is borne.
BUSY_WAIT: Final = 1.0
BUSY_LIMIT: Final = 600.0


@dataclass(slots=True)
class FillReport:
    """What a fill did; `total` counts every document that was read."""

    total: int = 0
    #: Stored, or found stored with the same content.
    written: int = 0
    #: Vectors computed.
    embedded: int = 0
    #: Vectors kept: nothing that the item tower reads had changed.
    carried: int = 0
    #: Stored already, the same content with its vector: not touched.
    unchanged: int = 0
    #: A newer revision is stored.
    stale: int = 0
    #: The same revision is stored with other content.
    conflicting: int = 0
    #: Not readable, refused, or stored with their text alone because they cannot be embedded.
    failed: int = 0
    #: Place and reason of the first failures and conflicts.
    errors: list[str] = field(default_factory=list)

    def tell(self, error: str) -> None:
        """Keep an error for the report."""
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(error)


class Filler:
    """Fills one generation from items, and leaves alone what is there already.

    Embedding and the engine's work overlap: while one batch is embedded, those before it are written, and what is
    stored of the next one is read.

    Args:
        engine: takes the writes.
        generation: name of the generation.
        embedder: of the generation's own space.
        revised: whether the host gives revisions; without them equal content is enough to skip an item.
        on_progress: called with the report after each batch.
        overlap: write while the next batch is embedded. An engine inside this process only contends with the encoder
            for the interpreter, and both are slower for it.
    """

    def __init__(
        self,
        engine: SearchEngine,
        generation: str,
        embedder: ItemEmbedder,
        *,
        revised: bool = True,
        on_progress: Callable[[FillReport], None] | None = None,
        clock: Callable[[], float] = time.time,
        overlap: bool = True,
    ) -> None:
        self._engine = engine
        self._generation = generation
        self._embedder = embedder
        self._revised = revised
        self._on_progress = on_progress or (lambda _: None)
        self._clock = clock
        self._writes = WRITES if overlap else 0
        self._report = FillReport()
        #: Stored with their text, and counted as failed.
        self._broken: set[ItemKey] = set()

    def fill(self, items: Iterable[Item | InvalidItem]) -> FillReport:
        """Store every item once with its vector; safe to interrupt and run again.

        Args:
            items: items, or the error that stands in a document's place.
        """
        with (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="fill-read") as reader,
            ThreadPoolExecutor(max_workers=WRITES, thread_name_prefix="fill-write") as writer,
        ):
            writing: deque[Future[list[ItemOutcome]]] = deque()
            for batch, stored in self._looked_up(reader, _distinct(self._read(items))):
                new = self._prepare(batch, stored)
                writing.append(writer.submit(write_patiently, self._engine, self._generation, new))
                while len(writing) > self._writes:
                    self._finish(writing.popleft())
            while writing:
                self._finish(writing.popleft())
        return self._report

    def _looked_up(
        self, reader: ThreadPoolExecutor, batches: Iterable[list[Item]]
    ) -> Iterator[tuple[list[Item], Mapping[ItemKey, StoredItem]]]:
        """Each batch with what is stored of it, one batch ahead of the work."""
        ahead: deque[tuple[list[Item], Future[dict[ItemKey, StoredItem]]]] = deque()
        for batch in batches:
            keys = [item.key for item in batch]
            ahead.append((batch, reader.submit(self._engine.read, self._generation, keys)))
            if len(ahead) > 1:
                first, found = ahead.popleft()
                yield first, found.result()
        for batch, found in ahead:
            yield batch, found.result()

    def _finish(self, writing: Future[list[ItemOutcome]]) -> None:
        for outcome in writing.result():
            self._count(outcome)
        self._on_progress(self._report)

    def _read(self, items: Iterable[Item | InvalidItem]) -> Iterator[Item]:
        for item in items:
            self._report.total += 1
            if isinstance(item, Item):
                yield item
            else:
                self._report.failed += 1
                self._report.tell(str(item))

    def _prepare(self, items: Sequence[Item], stored: Mapping[ItemKey, StoredItem]) -> list[StoredItem]:
        """What is to be written, with vectors; what needs no write is counted here."""
        writes: list[StoredItem] = []
        fresh: list[Item] = []
        for item in items:
            there = stored.get(item.key)
            if there is not None and self._settled(item, there):
                continue
            if there is not None and there.vector is not None and fits(item, there, self._embedder):
                writes.append(self._ready(item, there.vector))
                self._report.carried += 1
            else:
                fresh.append(item)
        return writes + self._embedded(fresh)

    def _embedded(self, items: Sequence[Item]) -> list[StoredItem]:
        """Each item with its vector; one that cannot be embedded waits with its text, and the live lane parks it.

        Raises:
            BundleRefused: so many items cannot be embedded, and none can: not they are broken.
        """
        vectors, broken = _embedded_apart(self._embedder, items)
        if len(broken) >= BROKEN_BUNDLE and not (vectors or self._report.embedded):
            error = next(iter(broken.values()))
            fix = "Put a sound bundle in its place, then run the same command again."
            place = f"generation {self._generation}"
            raise BundleRefused(place, expected="a bundle that embeds items", got=repr(error)[:200], fix=fix) from error
        self._report.embedded += len(vectors)
        for key, error in broken.items():
            self._broken.add(key)
            self._report.failed += 1
            self._report.tell(f"{key}: stored without a vector: {error!r}")
        return [
            pending(item, self._clock()) if item.key in broken else self._ready(item, vectors[item.key])
            for item in items
        ]

    def _settled(self, item: Item, there: StoredItem) -> bool:
        """Whether nothing is to be written; counted under its reason."""
        same = there.item is not None and there.item.content_hash == item.content_hash
        if same and fits(item, there, self._embedder) and (not self._revised or there.change.revision >= item.revision):
            self._report.unchanged += 1
            return True
        verdict = judge(self._ready(item, None), there, Creation.ALLOWED)
        if verdict is None:
            return False
        self._count(ItemOutcome(item.key, verdict))
        return True

    def _ready(self, item: Item, vector: Array | None) -> StoredItem:
        return StoredItem(
            item,
            Phase.VECTOR,
            VectorState.READY,
            vector,
            self._embedder.space,
            self._embedder.inputs_hash(item),
            self._clock(),
        )

    def _count(self, outcome: ItemOutcome) -> None:
        if outcome.outcome is Outcome.WRITTEN:
            self._report.written += outcome.key not in self._broken
        elif outcome.outcome is Outcome.STALE:
            self._report.stale += 1
        elif outcome.outcome is Outcome.CONFLICTING_REVISION:
            self._report.conflicting += 1
            self._report.tell(f"{outcome.key}: the same revision is stored with other content")
        else:
            self._report.failed += 1
            self._report.tell(f"{outcome.key}: {outcome.reason}")


def write_patiently(
    engine: SearchEngine, generation: str, items: Sequence[StoredItem], sleep: Callable[[float], None] = time.sleep
) -> list[ItemOutcome]:
    """Write the items; what the engine was too busy for is written again after a pause.

    Raises:
        Busy: it asks for less for `BUSY_LIMIT` seconds.
    """
    left, borne = list(items), 0.0
    told: list[ItemOutcome] = []
    while left:
        outcomes = _try(engine, generation, left)
        busy = {one.key: one.reason for one in outcomes if one.busy}
        told += [outcome for outcome in outcomes if not outcome.busy]
        left = [stored for stored in left if stored.key in busy]
        if left and borne >= BUSY_LIMIT:
            got = f"back-pressure for {BUSY_LIMIT:g} s: {busy[left[0].key]}"
            fix = "Give the search engine room (disk, memory), then run the same command again: it goes on."
            raise Busy(f"generation {generation}", expected="writes to be taken", got=got, fix=fix)
        if left:
            sleep(BUSY_WAIT)
            borne += BUSY_WAIT
    return told


def _try(engine: SearchEngine, generation: str, items: Sequence[StoredItem]) -> list[ItemOutcome]:
    try:
        return engine.write(generation, items)
    except Busy as error:
        return [ItemOutcome(stored.key, Outcome.FAILED, str(error), busy=True) for stored in items]


def _embedded_apart(
    embedder: ItemEmbedder, items: Sequence[Item]
) -> tuple[dict[ItemKey, Array], dict[ItemKey, Exception]]:
    """The vector of each item, or why it has none: one that the embedder cannot take harms no other."""
    if not items:
        return {}, {}
    try:
        vectors = embedder.embed(items)
    except Unavailable:  # it is away, whatever the items
        raise
    except Exception as error:  # whatever a network raises for one of them
        if len(items) == 1:
            return {}, {items[0].key: error}
        middle = len(items) // 2
        left, right = _embedded_apart(embedder, items[:middle]), _embedded_apart(embedder, items[middle:])
        return left[0] | right[0], left[1] | right[1]
    return {item.key: vector for item, vector in zip(items, vectors, strict=True)}, {}


def _distinct(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Batches that name no key twice, in the order told."""
    batch: dict[ItemKey, Item] = {}
    characters = 0
    for item in items:
        length = sum(map(len, item.texts.values()))
        if batch and (len(batch) == BATCH or characters + length > BATCH_CHARACTERS or item.key in batch):
            yield list(batch.values())
            batch, characters = {}, 0
        batch[item.key] = item
        characters += length
    if batch:
        yield list(batch.values())
