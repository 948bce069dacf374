"""Documents of a file in the order of a date of theirs, with bounded memory."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final

from domain.catalogue import as_milliseconds
from domain.errors import InvalidItem

#: Documents that are in memory at one time; a file with more of them is read once for each so many.
HELD: Final = 20_000

#: Place, date in milliseconds since 1970, document.
Dated = tuple[str, float, Mapping[str, Any] | Exception]
_Scan = Callable[[], Iterable[tuple[str, Mapping[str, Any] | Exception]]]


def by_date(scan: _Scan, field: str, since: float, held: int = HELD) -> Generator[Dated, None, None]:
    """The documents whose date is at or after `since`, oldest first; equal ones in the file's order.

    What has no such date comes in the first pass, as an `InvalidItem` whose date is minus infinity.

    Args:
        scan: reads the file from its start.
        field: name of the date.
        since: milliseconds since 1970.
        held: documents in memory at one time.
    """
    last = (-math.inf, -1)
    first = True
    while True:
        # The oldest ones beyond `last`, the youngest of them on top.
        heap: list[tuple[float, int, str, Mapping[str, Any]]] = []
        for number, (place, document) in enumerate(scan()):
            dated = _dated(place, document, field)
            if isinstance(dated, Exception):
                if first:
                    yield place, -math.inf, dated
            elif dated >= since and (dated, number) > last and isinstance(document, Mapping):
                entry = (-dated, -number, place, document)
                if len(heap) < held:
                    heapq.heappush(heap, entry)
                else:
                    heapq.heappushpop(heap, entry)
        for negated, _, place, document in sorted(heap, key=lambda one: (-one[0], -one[1])):
            yield place, -negated, document
        if len(heap) < held:
            return
        last, first = (-heap[0][0], -heap[0][1]), False


def _dated(place: str, document: Mapping[str, Any] | Exception, field: str) -> float | Exception:
    if isinstance(document, Exception):
        return document
    try:
        return as_milliseconds(document.get(field), field)
    except InvalidItem as error:
        return error.at(place)
