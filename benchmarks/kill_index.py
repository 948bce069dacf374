"""kill -9 of `sidetower index` at random moments, then the same command again: is every item there, once and right?

Usage: python -m benchmarks.kill_index [--kills 20] [--items 3000] [--engine embedded opensearch] [--seed 1]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import publish
from domain.items import Item, ItemKey
from domain.versions import VectorState
from sidetower.config import load_config
from sidetower.parts import Parts

KIND = "listing"
TENANT = "shop"
MAKES = ("Fiat", "Opel", "Volvo", "Skoda", "Mazda")
WORDS = ("clean", "family", "diesel", "estate", "garage", "kept", "winter", "tyres", "city", "small", "towing", "new")
CONFIG = """[kinds.listing]
id = "id"
revision = "revision"
text = { title = 3.0, description = 1.0 }
category = ["make"]
number = ["price"]
filter = { make = "keyword", price = "number" }
"""


def write_catalogue(target: Path, count: int, seed: int) -> dict[str, int]:
    """A JSONL file in which every tenth item stands a second time, newer; the newest revision by id."""
    rng = random.Random(seed)
    newest: dict[str, int] = {}
    with target.open("w", encoding="utf-8") as file:
        for number in [*range(count), *range(0, count, 10)]:
            revision = newest.get(f"i{number}", 0) + 1
            newest[f"i{number}"] = revision
            make = rng.choice(MAKES)
            words = " ".join(rng.choices(WORDS, k=12))
            document = {
                "id": f"i{number}",
                "revision": revision,
                "title": f"{make} {words[:20]} {revision}",
                "description": words,
                "make": make,
                "price": rng.randrange(500, 40_000),
            }
            file.write(json.dumps(document) + "\n")
    return newest


def command(folder: Path) -> list[str]:
    """The command under test."""
    config, items = folder / "sidetower.toml", folder / "items.jsonl"
    arguments = ["index", "--config", str(config), "--file", str(items), "--tenant", TENANT, "--json"]
    return [sys.executable, "-m", "sidetower", *arguments]


def run_to_end(folder: Path) -> float:
    """Seconds of one whole run."""
    began = time.monotonic()
    subprocess.run(command(folder), check=True, capture_output=True, timeout=600)
    return time.monotonic() - began


def run_and_kill(folder: Path, after: float) -> bool:
    """Start the command, kill it after this many seconds; whether it was still running."""
    process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def faults(folder: Path, newest: dict[str, int]) -> list[str]:
    """What is wrong with the index: missing, surplus, old, without vector, with a foreign vector."""
    parts = Parts(load_config(folder / "sidetower.toml", os.environ))
    release = parts.view.for_writing(KIND)
    [generation] = release.writing
    parts.engine.refresh(generation)
    found: dict[str, int] = {}
    wrong: list[str] = []
    after: ItemKey | None = None
    embedder = parts.embedder_of(generation)
    while page := parts.engine.scan(generation, after=after, limit=500):
        after = page[-1].key
        items = [stored.change for stored in page if isinstance(stored.change, Item)]
        expected = embedder.embed(items)
        for stored, vector in zip(page, expected, strict=True):
            if stored.key.id in found:
                wrong.append(f"{stored.key.id} stands twice")
            found[stored.key.id] = stored.change.revision
            if stored.vector_state is not VectorState.READY or stored.vector is None:
                wrong.append(f"{stored.key.id} has no vector")
            elif float(np.abs(stored.vector - vector).max()) > 1e-4:
                wrong.append(f"{stored.key.id} has another revision's vector")
    wrong += [
        f"{name}: revision {found.get(name)} instead of {at}" for name, at in newest.items() if found.get(name) != at
    ]
    return wrong + [f"{name} was never told" for name in found.keys() - newest.keys()]


@contextlib.contextmanager
def engine_url(name: str, root: Path) -> Iterator[str]:
    """Address of the engine; empty for the embedded one."""
    if name == "embedded":
        yield ""
        return
    from tests.support.opensearch_node import running_node

    with running_node(root / "node") as node:
        yield node.url


def trial(root: Path, name: str, url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All kills on one engine, each in a folder and index prefix of its own."""
    rng = random.Random(arguments.seed)
    whole, _ = _round(root, f"{name}-whole", url, arguments.items, None)
    killed, wrong = 0, 0
    while killed < arguments.kills:
        # A moment after the end kills nothing and does not count.
        moment = rng.uniform(0, whole)
        _, found = _round(root, f"{name}-{killed}", url, arguments.items, moment)
        if found is None:
            continue
        killed += 1
        wrong += len(found)
        print(f"{name} {killed}, killed after {moment:.1f} s: {'; '.join(found[:3]) or 'right'}", flush=True)
    return {"engine": name, "items": arguments.items, "kills": killed, "whole run s": round(whole, 1), "faults": wrong}


def _round(root: Path, name: str, url: str, items: int, moment: float | None) -> tuple[float, list[str] | None]:
    """One catalogue in a folder of its own: killed at the moment, run to the end, looked through.

    Returns:
        Seconds of the last run, and what is wrong; None when the run ended before the moment.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
    server = f'opensearch = "{url}"\n' if url else ""
    engine = f'[engine]\npath = "{folder}"\nprefix = "{folder.name.lower()}-"\n{server}'
    (folder / "sidetower.toml").write_text(engine + CONFIG)
    newest = write_catalogue(folder / "items.jsonl", items, len(name))
    if moment is not None and not run_and_kill(folder, moment):
        return 0.0, None
    return run_to_end(folder), faults(folder, newest)


def main() -> None:
    """Run the kills and publish the count of faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", nargs="+", default=["embedded", "opensearch"])
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="sidetower-kill-") as folder:
        for name in arguments.engine:
            with engine_url(name, Path(folder)) as url:
                rows.append(trial(Path(folder), name, url, arguments))
    publish("kill_index", rows, "kill -9 at a uniformly random moment of the run, then the same command again")
    sys.exit(1 if any(row["faults"] for row in rows) else 0)


if __name__ == "__main__":
    main()
