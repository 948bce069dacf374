"""Parquet: plain Python values, a batch at a time, and a message for every damage."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidItem, SourceError
from plugin.files.parquet import ParquetSource
from tests.support.needs import require_module

require_module("pyarrow", "serve")

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402


def stored(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "cars.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_values_arrive_as_plain_python(tmp_path: Path) -> None:
    path = stored(
        tmp_path,
        {
            "id": pa.array([1, 2]),
            "price": pa.array([Decimal("9.50"), None]),
            "seen": pa.array([1_000_000_001, None], pa.timestamp("ns", "UTC")),
            "built": pa.array([date(2026, 1, 31), None]),
            "make": pa.array(["VW", "VW"]).dictionary_encode(),
            "colours": pa.array([["red", None], []]),
            "prices": pa.array([[Decimal("1.5")], None]),
        },
    )
    assert [one for _, one in ParquetSource(path, "id").scan()] == [
        {
            "id": 1,
            "price": 9.5,
            "seen": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            "built": date(2026, 1, 31),
            "make": "VW",
            "colours": ["red", None],
            "prices": [1.5],
        },
        {"id": 2, "price": None, "seen": None, "built": None, "make": "VW", "colours": [], "prices": None},
    ]


def test_a_value_that_python_cannot_hold_costs_its_row_only(tmp_path: Path) -> None:
    beyond_year_9999 = 5 * 10**18
    path = stored(tmp_path, {"id": [1, 2, 3], "seen": pa.array([0, beyond_year_9999, 0], pa.timestamp("us"))})
    found = list(ParquetSource(path, "id").scan())
    assert [place for place, _ in found] == [f"cars.parquet row {row}" for row in (1, 2, 3)]
    assert [isinstance(one, InvalidItem) for _, one in found] == [False, True, False]


def test_count_comes_from_the_footer(tmp_path: Path) -> None:
    path = stored(tmp_path, {"id": list(range(12_345))}, row_group_size=1000)
    source = ParquetSource(path, "id")
    assert source.count() == 12_345
    assert sum(1 for _ in source.scan()) == 12_345


def test_damage_in_the_middle_gives_what_stands_before_and_then_fails(tmp_path: Path) -> None:
    path = stored(tmp_path, {"id": list(range(20_000))}, row_group_size=1000, compression="none", use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 10_000] = b"\xff" * 10_000
    path.write_bytes(damaged)
    read: list[Any] = []
    with pytest.raises(SourceError) as told:
        read.extend(ParquetSource(path, "id").scan())
    assert 0 < len(read) < 20_000
    assert told.value.place.endswith(f"after row {len(read)}")


def test_without_pyarrow_the_message_says_what_to_install(tmp_path: Path) -> None:
    path = stored(tmp_path, {"id": [1]})
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\n"
        "from plugin.files.opening import open_file_source\n"
        f"open_file_source(Path({str(path)!r}), 'id').count()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "pip install 'sidetower[serve]'" in done.stderr


def test_opening_the_module_does_not_import_pyarrow() -> None:
    program = "import sys, plugin.files.opening; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
