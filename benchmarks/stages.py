"""Stages: where the seconds of a fill go, told by timed stand-ins for the parts that it calls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from domain.features import ItemFeatures
from domain.items import ItemKey
from domain.ports import ItemTower, SearchEngine
from domain.vectors import Array
from domain.versions import Creation, ItemOutcome, StoredItem
from recommender.bundle import Bundle
from recommender.text_encoder import OnnxTextEncoder

Read = TypeVar("Read")


class Stages:
    """Seconds by stage. A stage that holds another one counts only what is its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def cpu(self, stage: str, *inside: str) -> Iterator[None]:
        """Count this thread's processor time, without what the stages inside counted meanwhile."""
        began, others = time.thread_time(), sum(self.seconds[one] for one in inside)
        yield
        passed = sum(self.seconds[one] for one in inside) - others
        self.seconds[stage] += time.thread_time() - began - passed

    @contextmanager
    def waiting(self, stage: str, cpu_stage: str) -> Iterator[None]:
        """Count the time that passes, the processor's part of it under a stage of its own."""
        began, wall = time.thread_time(), time.perf_counter()
        yield
        worked = time.thread_time() - began
        self.seconds[cpu_stage] += worked
        self.seconds[stage] += time.perf_counter() - wall - worked

    def reading(self, items: Iterable[Read]) -> Iterator[Read]:
        """The items, the making of each counted."""
        each = iter(items)
        while True:
            with self.cpu("read"):
                item = next(each, None)
            if item is None:
                return
            yield item


class TimedEngine:
    """A search engine whose reads and writes are timed.

    Args:
        engine: the real one.
        stages: takes the times.
    """

    def __init__(self, engine: SearchEngine, stages: Stages) -> None:
        self._engine = engine
        self._stages = stages

    def read(self, generation: str, keys: Sequence[ItemKey]) -> dict[ItemKey, StoredItem]:
        """As the engine does."""
        with self._stages.waiting("read wait", "read back"):
            return self._engine.read(generation, keys)

    def write(
        self, generation: str, items: Sequence[StoredItem], creation: Creation = Creation.ALLOWED
    ) -> list[ItemOutcome]:
        """As the engine does."""
        with self._stages.waiting("write wait", "serialise"):
            return self._engine.write(generation, items, creation)


class TimedEncoder(OnnxTextEncoder):
    """A bundle's text encoder, its tokenizer and its network timed apart."""

    def timed(self, stages: Stages) -> TimedEncoder:
        """The encoder itself, telling these stages."""
        self._stages = stages
        return self

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """As the encoder does."""
        with self._stages.cpu("tokenise"):
            return super().tokens(texts)

    def encode(self, texts: Sequence[str]) -> Array:
        """As the encoder does."""
        with self._stages.cpu("encode", "tokenise"):
            return super().encode(texts)


class TimedTower:
    """An item tower that is timed.

    Args:
        tower: the real one.
        stages: takes the times.
    """

    def __init__(self, tower: ItemTower, stages: Stages) -> None:
        self._tower = tower
        self._stages = stages

    def embed(self, features: ItemFeatures) -> Array:
        """As the tower does."""
        with self._stages.cpu("tower"):
            return self._tower.embed(features)


def timed_bundle(bundle: Bundle, encoder: TimedEncoder, stages: Stages) -> Bundle:
    """The bundle with timed networks, and no text remembered."""
    return replace(bundle, encoder=encoder.timed(stages), item_tower=TimedTower(bundle.item_tower, stages))
