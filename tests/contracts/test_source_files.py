"""Files keep the contract of item sources."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.ports import ItemSource
from plugin.files.opening import open_file_source
from tests.contracts.source_suite import Build, Documents, SourceContract
from tests.support.needs import require_module


def json_lines(path: Path, documents: Documents) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")


def gzip_lines(path: Path, documents: Documents) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in documents).encode()))


def comma_rows(path: Path, documents: Documents) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.DictWriter(stream, list(documents[0]))
        rows.writeheader()
        rows.writerows(documents)


def parquet_rows(path: Path, documents: Documents) -> None:
    require_module("pyarrow", "serve")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(documents), path, row_group_size=100)


WRITERS: dict[str, Callable[[Path, Documents], None]] = {
    "cars.jsonl": json_lines,
    "cars.ndjson": json_lines,
    "cars.jsonl.gz": gzip_lines,
    "cars.csv": comma_rows,
    "cars.parquet": parquet_rows,
}


@pytest.mark.parametrize("name", WRITERS)
class TestFiles(SourceContract):
    @pytest.fixture
    def source_of(self, tmp_path: Path, name: str) -> Build:
        def build(documents: Documents) -> ItemSource:
            WRITERS[name](tmp_path / name, documents)
            return open_file_source(tmp_path / name, "sku")

        return build

    @pytest.fixture
    def nowhere(self, tmp_path: Path, name: str) -> Callable[[], ItemSource]:
        return lambda: open_file_source(tmp_path / "none" / name, "sku")
