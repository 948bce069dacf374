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


def purge_tombstones(
    generations: Generations, release: Release, clock: Callable[[], float] = time.time, *, horizon: float = HORIZON
) -> int:
    """How many tombstones past the horizon were forgotten; none while the kind is on the move.

    On the move: a generation is being filled, several are written, or another one of the kind is there at all: one
    that has just been made, which a fill is about to copy the tombstones into, or one that can be rolled back to. Fills
    and comparisons between generations count on the tombstones then.

    Args:
        generations: hold them.
        release: of the kind, as a writer would have it.
        clock: seconds since 1970.
        horizon: seconds that a removal is remembered for.
    """
    served = release.default.generation
    if release.state is not Stage.SERVING or release.filling or release.writing != (served,):
        return 0
    if any(one.kind == release.kind and one.name != served for one in generations.all()):
        return 0
    return generations.purge(served, clock() - horizon, MOST)
