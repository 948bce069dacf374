"""Candidate vectors: items that were compared lately, kept ready for the next request, at most 2 s behind the index."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

from domain.errors import InvalidItem, SidetowerError
from domain.items import ItemKey
from domain.ports import SearchEngine
from domain.search import Candidate, Scope
from rerank_service.known import Known
from rerank_service.vector_block import Place, VectorBlock

#: Vectors kept: 51 MB, taken from the system as they come.
CAPACITY: Final = 100_000
#: What was written since is asked for beside a request when the last answer is older than this,
FOLLOW_SECONDS: Final = 1.0
#: and waited for when it is older than this: nothing that is kept is used any longer without it.
BEHIND_SECONDS: Final = 2.0
#: Share of the time left that is waited for it; the rest is for reading the items themselves.
FOLLOW_SHARE: Final = 0.3
#: Threads that wait for the engine; one that hangs holds up no request beyond its deadline.
READERS: Final = 8


class CandidateVectors:
    """Reads items through what is kept of them; safe for several threads.

    It learns from the engine which items were written (`SearchEngine.changes`), so what is kept is dropped as soon as
    that is known, and is not used at all while that is not known for the last 2 seconds. Everything is kept by
    generation, space and tenant, and told only to a scope that may see it.

    Args:
        engine: where the items are.
        capacity: how many items are kept; those used last.
        clock: seconds, growing.
    """

    def __init__(
        self, engine: SearchEngine, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._block = VectorBlock(capacity)
        self._followed: dict[str, _Followed] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="read")

    def close(self) -> None:
        """Read nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read(
        self, generation: str, space: str, scope: Scope, ids: Sequence[str], seconds: Callable[[bool], float]
    ) -> Known:
        """What is known of these items, each once, those that are not kept by one read of the engine.

        Args:
            generation: where they are.
            space: the only one whose vectors count.
            scope: who asks.
            ids: distinct.
            seconds: how long it may take from now, told whether something is known already.
        """
        place = (generation, space, scope.tenant)
        followed = self._followed.setdefault(generation, _Followed())
        level = self._level(generation, followed, seconds)
        with self._lock:
            turn = followed.turn
            known, missing = (
                self._block.read(place, scope, ids) if level else (Known.nothing(ids), list(range(len(ids))))
            )
        if not missing:
            return known
        wanted = [ids[index] for index in missing]
        future = self._pool.submit(self._fetch, place, scope, wanted, turn if level else None)
        try:
            found = future.result(timeout=max(0.0, seconds(len(missing) < len(ids))))
        except Exception as error:  # whatever it is, it is told beside what is known
            future.cancel()
            return known.failed(error)
        return known.joined(missing, [found.get(id_) for id_ in wanted], space)

    def _level(self, generation: str, followed: _Followed, seconds: Callable[[bool], float]) -> bool:
        """Whether what is kept of the generation is at most 2 s behind it."""
        age = self._clock() - followed.at
        if age < FOLLOW_SECONDS:
            return True
        with self._lock:
            if followed.reading is None or followed.reading.done():
                followed.reading = self._pool.submit(self._follow, generation, followed)
            reading = followed.reading
        if age < BEHIND_SECONDS:
            return True
        try:
            reading.result(timeout=max(0.0, FOLLOW_SHARE * seconds(False)))
        except (TimeoutError, SidetowerError):
            return False
        return self._clock() - followed.at < BEHIND_SECONDS

    def _follow(self, generation: str, followed: _Followed) -> None:
        """Drop what was written since the last time."""
        began = self._clock()
        changes = self._engine.changes(generation, followed.mark)
        with self._lock:
            followed.turn += 1
            followed.mark, followed.at = changes.mark, began
            self._block.forget(generation, changes.keys)

    def _fetch(self, place: Place, scope: Scope, ids: Sequence[str], turn: int | None) -> dict[str, Candidate]:
        """The items as they are now, kept unless a change could have passed by unseen since `turn`."""
        found = self._engine.lookup(place[0], scope, [id_ for id_ in ids if _can_be_ours(scope.tenant, id_)])
        with self._lock:
            if turn == self._followed[place[0]].turn:
                self._block.keep(place, scope, {id_: found.get(id_) for id_ in ids})
        return found


def _can_be_ours(tenant: str, id_: str) -> bool:
    """Whether our index could hold this id; the caller's engine may allow longer ones."""
    try:
        ItemKey(tenant, "kind", id_)
    except InvalidItem:
        return False
    return True


@dataclass(slots=True)
class _Followed:
    """How far one generation's changes are known."""

    mark: str = ""
    #: When the changes up to the mark were asked for.
    at: float = float("-inf")
    #: How often changes were taken over.
    turn: int = 0
    reading: Future[None] | None = None
