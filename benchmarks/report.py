"""What a benchmark leaves behind: a table for people, and JSON with the circumstances under build/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_PACKAGES = ("numpy", "onnxruntime", "tokenizers", "tensorflow-cpu", "torch", "opensearch-py", "sentence-transformers")


def circumstances() -> dict[str, Any]:
    """Hardware, versions and commit of this run."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() + ("+" if dirty.stdout.strip() else ""),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES if _version(name)},
        "command": " ".join(sys.argv),
    }


def publish(name: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Path:
    """Print the rows as a table and write them to build/NAME.json; returns the file."""
    about = circumstances()
    table = Table(title=f"{name} ({about['cpu']}, {about['cores']} cores, commit {about['commit']})", caption=note)
    for column in rows[0]:
        table.add_column(str(column), justify="right" if isinstance(rows[0][column], int | float) else "left")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    Console(width=160).print(table)
    target = Path("build") / f"{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"circumstances": about, "note": note, "rows": list(rows)}, indent=2) + "\n")
    return target


def real_data(*parts: str) -> Path:
    """A file of the real data sets, which stay outside the repository: SIDETOWER_DATA names their folder."""
    root = os.environ.get("SIDETOWER_DATA", "")
    path = Path(root, *parts)
    if not root or not path.exists():
        sys.exit(f"set SIDETOWER_DATA to the folder of the data sets; {Path(*parts)} is not there")
    return path


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}"
    return str(value)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
