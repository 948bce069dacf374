"""The shelf: bundles that are loaded and warm, a bounded number of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final, Protocol

import numpy as np

from domain.errors import BundleRefused, SidetowerError
from domain.features import History
from domain.ports import Scorer, TextEncoder, UserTower
from domain.search import Candidate
from domain.vectors import DIMENSIONS, Array

#: A bundle that could not be loaded is tried again after this many seconds.
RETRY_SECONDS: Final = 5.0


class Probabilities(Protocol):
    """What the scorer's relevance means."""

    @property
    def threshold(self) -> float:
        """Probability from which on an item is suggested."""
        ...

    def probability(self, relevance: Array) -> Array:
        """``[n]`` for relevance ``[n]``."""
        ...


class RankingManifest(Protocol):
    """What ranking reads of a bundle's manifest."""

    @property
    def calibration(self) -> Probabilities | None:
        """None where nobody judged."""
        ...

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that the scorer reads, in its order."""
        ...


class RankingBundle(Protocol):
    """What ranking needs of a bundle; `recommender.bundle.Bundle` is one. Safe to use from several threads."""

    @property
    def id(self) -> str:
        """Names the bundle for good."""
        ...

    @property
    def space(self) -> str:
        """Space that its towers and scorer were trained into."""
        ...

    @property
    def manifest(self) -> RankingManifest:
        """What it was built with."""
        ...

    @property
    def encoder(self) -> TextEncoder:
        """Texts to text vectors."""
        ...

    @property
    def user_tower(self) -> UserTower:
        """History to user vector."""
        ...

    @property
    def scorer(self) -> Scorer:
        """Vectors and signals to scores."""
        ...

    def embed_query(self, text: str) -> Array | None:
        """Unit vector ``[128]`` in the item space; None when the text has no token that it knows."""
        ...

    def history(self, vectors: Array, action_names: Sequence[str], ages_seconds: Sequence[float]) -> History:
        """Events as the user tower reads them; actions that say nothing are left out.

        Args:
            vectors: ``[h, 128]`` vectors of the items acted upon.
            action_names: h names.
            ages_seconds: h ages.
        """
        ...

    def counts(self, action: str) -> bool:
        """Whether an action says anything about taste."""
        ...

    def signals(self, candidates: Sequence[Candidate], history: Sequence[str] = (), text: str = "") -> Array:
        """What the scorer reads of n candidates of one tenant and kind beside their vectors ``[n, s]``.

        Args:
            candidates: in any order.
            history: ids of the items of the same kind that the person acted upon.
            text: the query, empty without.
        """
        ...

    def related(self, tenant: str, kind: str, history: Sequence[str], limit: int) -> list[str]:
        """Ids of the items that go with a history of ids, best first; none where nobody counted."""
        ...

    def popular(self, tenant: str, kind: str, limit: int) -> list[str]:
        """Ids of the items that most people had to do with; none where nobody counted."""
        ...


class BundleShelf:
    """Loads each bundle once, warms it, and forgets the one that was not used for longest.

    Args:
        load: reads a bundle; raises `NotFound` or `BundleRefused`.
        capacity: how many bundles are kept.
        clock: seconds, growing.
    """

    def __init__(
        self, load: Callable[[str], RankingBundle], capacity: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._capacity = capacity
        self._clock = clock
        self._loads: OrderedDict[str, tuple[Future[RankingBundle], float]] = OrderedDict()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="bundle")

    def get(self, bundle_id: str, seconds: float) -> RankingBundle:
        """The bundle, loaded and warm; the load goes on when the caller cannot wait for it.

        Raises:
            TimeoutError: not loaded within `seconds`.
            NotFound: there is no such bundle.
            BundleRefused: it cannot be loaded, or its networks fail on the first call.
        """
        return self.start(bundle_id).result(timeout=max(seconds, 0.0))

    def start(self, bundle_id: str) -> Future[RankingBundle]:
        """Begin to load the bundle unless it is here, on its way, or failed a moment ago."""
        with self._lock:
            known = self._loads.get(bundle_id)
            if known is None or self._worth_another_try(*known):
                future = self._pool.submit(self._warm, bundle_id)
                self._loads[bundle_id] = (future, self._clock())
            self._loads.move_to_end(bundle_id)
            while len(self._loads) > self._capacity:
                self._loads.popitem(last=False)
            return self._loads[bundle_id][0]

    def close(self) -> None:
        """Load nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _worth_another_try(self, future: Future[RankingBundle], started: float) -> bool:
        failed = future.done() and future.exception() is not None
        return failed and self._clock() - started >= RETRY_SECONDS

    def _warm(self, bundle_id: str) -> RankingBundle:
        """Load and call every network once: the first call is the slow one."""
        try:
            bundle = self._load(bundle_id)
            query = bundle.embed_query("warm up")
            items = np.zeros((2, DIMENSIONS), dtype=np.float32)
            items[:, 0] = 1
            user = bundle.user_tower.embed(bundle.history(items, ["click", "click"], [0.0, 1.0]), query)
            signals = np.zeros((2, len(bundle.manifest.signals)), dtype=np.float32)
            bundle.scorer.score(query, user, items, signals)
        except SidetowerError:
            raise
        except Exception as error:
            raise BundleRefused(
                f"bundle {bundle_id}",
                expected="networks that load and answer",
                got=f"{type(error).__name__}: {error}",
                fix="Build the bundle again, or point the release at another one.",
            ) from error
        return bundle
