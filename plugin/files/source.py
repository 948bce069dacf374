"""What every file source shares: the file itself, and reading single items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import InvalidItem, SourceError
from plugin.files.dated import Dated, by_date

#: A document and its place (``"cars.jsonl line 17"``), or the error that stands there instead.
Placed = tuple[str, Mapping[str, Any] | Exception]


class FileSource(ABC):
    """An `ItemSource` over one file; it keeps nothing open between two scans.

    Args:
        path: the file.
        id_field: field that holds the id, for `fetch`.

    Raises:
        SourceError: there is no such file, or it is a folder, empty, or not readable.
    """

    def __init__(self, path: Path, id_field: str) -> None:
        self.path = path
        self.name = str(path)
        self._id_field = id_field
        try:
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            got = "a folder" if path.is_dir() else (error.strerror or str(error)).lower()
            fix = "Name one file." if path.is_dir() else "Check the path and its permissions."
            raise self.failure("a file that can be read", got, fix) from None
        if size == 0:
            raise self.failure("at least one document", "an empty file", "Export the documents again.")

    @abstractmethod
    def count(self) -> int | None:
        """How many documents there are, None when that is not known before reading."""

    @abstractmethod
    def scan(self) -> Iterator[Placed]:
        """Every document once, or the `InvalidItem` that stands there instead; memory stays bounded."""

    def fetch(self, ids: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """Every document of these ids, in the file's order; reads the whole file."""
        wanted = set(ids)
        return [
            (key, document)
            for _, document in self.scan()
            if isinstance(document, Mapping) and (key := str(document.get(self._id_field))) in wanted
        ]

    def changed(self, field: str, since: float) -> Generator[Dated, None, None]:
        """Every document whose date is at or after `since`, oldest first; reads the whole file, at least once."""
        return by_date(self.scan, field, since)

    def failure(self, expected: str, got: str, fix: str, at: str = "") -> SourceError:
        """The error for a file that cannot be read (any further)."""
        return SourceError(f"{self.name} {at}".rstrip(), expected=expected, got=got, fix=fix)

    def placed(self, where: str) -> str:
        """A place in this file, as a person would name it: ``"cars.jsonl line 17"``."""
        return f"{self.path.name} {where}"

    def broken(self, where: str, expected: str, got: str, fix: str) -> Placed:
        """A place where no document can be read."""
        place = self.placed(where)
        return place, InvalidItem(place, expected=expected, got=got, fix=fix)
