"""The neighbours file: the neighbours of every tenant and kind as one checked file without code in it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import BundleRefused
from recommender.neighbours import Neighbours

NEIGHBOURS_FILE: Final = "neighbours.npz"
FORMAT: Final = 1
_ARRAYS: Final = ("starts", "others", "weights", "likeness", "popularity")

#: Tenant and kind.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NeighbourTables:
    """The neighbours of each tenant and kind; a tenant never sees another's."""

    tables: Mapping[Place, Neighbours] = field(default_factory=dict)

    def of(self, tenant: str, kind: str) -> Neighbours | None:
        """The neighbours of this tenant's items of this kind, or None when nobody counted them."""
        return self.tables.get((tenant, kind))


def write_neighbours(path: Path, tables: NeighbourTables) -> None:
    """Write the tables; the same tables give the same bytes.

    Args:
        path: the ``.npz`` file: NumPy's own format (NEP 1), and an index of the tables as JSON.
        tables: what to write.
    """
    arrays: dict[str, Any] = {}
    places: list[dict[str, Any]] = []
    for number, (place, table) in enumerate(sorted(tables.tables.items())):
        arrays[f"{number}.ids"] = _bytes("\n".join(table.ids))  # ids are printable, so none holds a line break
        arrays |= {f"{number}.{name}": getattr(table, name) for name in _ARRAYS}
        places.append({"tenant": place[0], "kind": place[1], "items": len(table.ids)})
    index = {"format": FORMAT, "tables": places, "checksum": _checksum(arrays)}
    np.savez(path, allow_pickle=False, index=_bytes(json.dumps(index, sort_keys=True)), **arrays)


def read_neighbours(path: Path) -> NeighbourTables:
    """The tables that `write_neighbours` wrote.

    Raises:
        BundleRefused: the file is missing, damaged, or of another format.
    """
    try:
        # From memory: NumPy leaves a file open that is no archive.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            index = json.loads(_text(arrays.pop("index")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(path, "a neighbours file", f"{type(error).__name__}: {error}"[:120]) from error
    if index.get("format") != FORMAT:
        raise _refused(path, f"format {FORMAT}", str(index.get("format")))
    if index["checksum"] != _checksum(arrays):
        raise _refused(path, f"checksum {index['checksum'][:12]}", _checksum(arrays)[:12])
    found = {}
    for number, place in enumerate(index["tables"]):
        text = _text(arrays[f"{number}.ids"])
        ids = tuple(text.split("\n")) if place["items"] else ()
        columns = {name: arrays[f"{number}.{name}"] for name in _ARRAYS}
        found[place["tenant"], place["kind"]] = Neighbours(ids=ids, **columns)
    return NeighbourTables(found)


def _checksum(arrays: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8)


def _text(array: Any) -> str:
    return bytes(array).decode()


def _refused(path: Path, expected: str, got: str) -> BundleRefused:
    return BundleRefused(str(path), expected=expected, got=got, fix="Copy it again, or train again.")
