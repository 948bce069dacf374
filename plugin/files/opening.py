"""Which source reads a file, told by its suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from domain.errors import SourceError
from plugin.files.csv_rows import CsvSource
from plugin.files.jsonl import JsonlSource
from plugin.files.parquet import ParquetSource
from plugin.files.source import FileSource

#: Suffix and source; the first two also with ``.gz`` behind.
SOURCES: Final[dict[str, type[FileSource]]] = {
    ".jsonl": JsonlSource,
    ".ndjson": JsonlSource,
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".parquet": ParquetSource,
}


def open_file_source(path: Path, id_field: str) -> FileSource:
    """The `ItemSource` that reads this file.

    Raises:
        SourceError: an unknown suffix, or a file that cannot be read.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    found = SOURCES.get(suffixes[-1] if suffixes else "")
    if found is None and not path.is_dir():
        known = ", ".join(SOURCES)
        fix = "Export the documents as one of these, or rename the file."
        raise SourceError(str(path), expected=f"a file ending in {known}", got=path.suffix or "no suffix", fix=fix)
    return (found or JsonlSource)(path, id_field)
