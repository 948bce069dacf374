"""A sample of documents that stands for the whole source."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from domain.ports import ItemSource

T = TypeVar("T")

#: Documents that are kept, and documents that they are taken from.
KEPT: Final = 2_000
READ: Final = 20_000


@dataclass
class Sample:
    """Documents spread over the start of a source."""

    documents: list[Mapping[str, Any]] = field(default_factory=list)
    #: How many places were read, broken ones included.
    read: int = 0
    #: What stood at places where no document could be read.
    broken: list[Exception] = field(default_factory=list)


class Reservoir(Generic[T]):
    """At most `size` of the values put in, each with the same chance; the same ones on every run.

    Vitter, Random Sampling with a Reservoir, ACM TOMS 11(1), 1985, algorithm R.
    """

    def __init__(self, size: int) -> None:
        self.kept: list[T] = []
        self._size = size
        self._seen = 0
        self._chance = random.Random(0)  # noqa: S311

    def put(self, value: T) -> None:
        """Keep the value, or not, perhaps in another's place."""
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(value)
        elif (place := self._chance.randrange(self._seen)) < self._size:
            self.kept[place] = value


def sample(source: ItemSource, kept: int = KEPT, read: int = READ) -> Sample:
    """At most `kept` documents of the first `read`; exports are often sorted, so the first ones resemble each other.

    Raises:
        SourceError: the source cannot be read.
    """
    found, reservoir = Sample(), Reservoir[Mapping[str, Any]](kept)
    for _, document in source.scan():
        found.read += 1
        if isinstance(document, Exception):
            found.broken.append(document)
        else:
            reservoir.put(document)
        if found.read >= read:
            break
    found.documents = reservoir.kept
    return found
