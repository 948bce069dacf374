"""Parts that fail in one way, and work in every other."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain.errors import Unavailable
from domain.features import History, Scores
from domain.ports import SearchEngine
from domain.search import Candidate, Query, Scope
from domain.vectors import Array
from domain.versions import Changes
from tests.support.toy_bundle import ToyBundle, ToyTextEncoder

WARM_ITEMS = 2


class FailingTower:
    """A user tower that is fine while it is warmed, and raises from then on."""

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, history: History, query: Array | None) -> Array:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the network is broken")
        first: Array = history.items[0]
        return first


class SlowScorer:
    """A scorer that is fast with the two items of the warm-up only, until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def score(self, query: Array | None, user: Array | None, items: Array, signals: Array) -> Scores:
        if len(items) > WARM_ITEMS:
            self.let_go.wait(10)
        zero = np.zeros(len(items), dtype=np.float32)
        return Scores(zero, 0.0, zero)


@dataclass(frozen=True)
class SlowQueries(ToyBundle):
    """A bundle whose text encoder hangs on every query but the warm-up, until it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def embed_query(self, text: str) -> Array | None:
        if text != "warm up":
            self.let_go.wait(10)
        return super().embed_query(text)


class OneCallFails:
    """The engine, one of its calls unavailable."""

    def __init__(self, engine: SearchEngine, failing: str) -> None:
        self._engine = engine
        self.failing = failing

    def search(self, generation: str, scope: Scope, query: Query) -> list[Candidate]:
        self._check("search")
        return self._engine.search(generation, scope, query)

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> Mapping[str, Candidate]:
        self._check("lookup")
        return self._engine.lookup(generation, scope, ids)

    def changes(self, generation: str, after: str = "") -> Changes:
        self._check("changes")
        return self._engine.changes(generation, after)

    def _check(self, call: str) -> None:
        if call == self.failing:
            raise Unavailable("search engine", expected="an answer", got="none", fix="Start it.")


class LookupHangs(OneCallFails):
    """The engine, its lookup without an answer until it is let go."""

    def __init__(self, engine: SearchEngine) -> None:
        super().__init__(engine, "")
        self.let_go = threading.Event()

    def lookup(self, generation: str, scope: Scope, ids: Sequence[str]) -> Mapping[str, Candidate]:
        self.let_go.wait(10)
        return super().lookup(generation, scope, ids)


class SlowEncoder(ToyTextEncoder):
    """A text encoder that waits before each call, for as long as it is told; counts the texts it has read."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.read: list[str] = []
        self._never = threading.Event()

    def encode(self, texts: Sequence[str]) -> Array:
        self._never.wait(self.seconds)
        self.read += texts
        return super().encode(texts)


class UnsoundEncoder(ToyTextEncoder):
    """A text encoder that answers with something that is no number."""

    def encode(self, texts: Sequence[str]) -> Array:
        return np.full((len(texts), self.dimension), np.nan, dtype=np.float32)


class FailingEncoder(ToyTextEncoder):
    """A text encoder that raises."""

    def encode(self, texts: Sequence[str]) -> Array:
        raise RuntimeError("the network is broken")
