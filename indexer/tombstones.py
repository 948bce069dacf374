"""Tombstones: how long a removal is remembered, and when it may be forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from domain.ports import Generations
from domain.releases import Release, Stage

#: Seconds that a removal outlives any older write of the same item: longer than the longest fill and than any message
#: waits for its redelivery.
HORIZON: Final = 7 * 86_400.0
#: Tombstones forgotten in one call at most.
MOST: Final = 1_000


def purge_tombstones(generations: Generations, release: Release, clock: Callable[[], float] = time.time) -> int:
    """How many tombstones past the horizon were forgotten; none while the release is on the move.

    On the move: its first generation is being filled, another one is written beside it, or the one before it is
    still there to roll back to. Fills and comparisons between generations count on the tombstones then.
    """
    if release.state is not Stage.SERVING or release.writing != (release.default.generation,):
        return 0
    previous = release.previous.generation if release.previous else release.default.generation
    if previous != release.default.generation and previous in {one.name for one in generations.all()}:
        return 0
    return generations.purge(release.default.generation, clock() - HORIZON, MOST)
