"""A large catalogue in one pass, and a site that loses its workers and its Redis in the middle of one.

Usage: SIDETOWER_DATA=... python -m benchmarks.large_index [--items 100000] [--lost 20000] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import redis

from benchmarks.report import publish
from benchmarks.site import Running, many_cars, running_site
from tests.journeys.processes import Background, until

#: In the index before, and what the bundle is built from.
BEFORE = 5_000
WORKERS = 2
MEMORY = "process_resident_memory_bytes"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, help="of one pass; 0 leaves it out")
    parser.add_argument(
        "--lost", type=int, default=20_000, help="items of the run that loses everything; 0 leaves it out"
    )
    parser.add_argument("--keep", default="", help="folder for catalogue and bundle, used again by the next run")
    arguments = parser.parse_args()
    with running_site(arguments.keep, "bootstrap", BEFORE) as running:
        if arguments.items:
            rows = [_filled(running, arguments.items), _told(running, arguments.items)]
            publish("large_index", rows, "one pass, nobody looks after it; MB: resident memory of the working process")
        if arguments.lost:
            publish(
                "lost_workers", [_lost(running, arguments.lost)], "kill -9 of both workers and FLUSHALL in the middle"
            )


def _filled(running: Running, count: int) -> dict[str, Any]:
    """`sidetower index` of a file."""
    file = running.installation.folder / "large.jsonl"
    with file.open("w", encoding="utf-8") as target:
        target.writelines(json.dumps(row, default=str) + "\n" for row in many_cars(count, "file"))
    began, before = time.monotonic(), running.standing()[0]
    memory: list[tuple[int, float]] = []
    with running.index(file) as fill:
        while fill.running:
            memory.append((running.standing()[0] - before, _resident(fill)))
            time.sleep(0.5)
        seconds = time.monotonic() - began
        if fill.wait(60) != 0:
            raise AssertionError(fill.told())
    revision = {f"file-{number}": 1 for number in range(count)}
    running.standing()
    return _passed("sidetower index", count, seconds, memory, running.faults(revision))


def _told(running: Running, count: int) -> dict[str, Any]:
    """The bulk door and a worker."""
    memory: list[tuple[int, float]] = []
    began, before = time.monotonic(), running.standing()
    with running.worker() as worker:
        until(lambda: MEMORY in running.figures(worker), "the worker answers", seconds=180)
        documents = many_cars(count, "told")
        while page := list(islice(documents, 2_000)):
            running.send(page)
            _note(running, worker, before[0], memory)
        while running.standing()[1]:
            _note(running, worker, before[0], memory)
            time.sleep(1)
        seconds = time.monotonic() - began
    revision = {f"told-{number}": 1 for number in range(count)}
    return _passed("bulk door and worker", count, seconds, memory, running.faults(revision))


def _note(running: Running, worker: Background, before: int, memory: list[tuple[int, float]]) -> None:
    items, pending = running.standing()
    figures = running.figures(worker)
    if MEMORY in figures:
        memory.append((items - pending - before, figures[MEMORY] / 1e6))


def _passed(way: str, count: int, seconds: float, memory: list[tuple[int, float]], faults: int) -> dict[str, Any]:
    worked = [(done, size) for done, size in memory if done > 0] or memory
    middle = min(worked, key=lambda one: abs(one[0] - count / 2))
    row: dict[str, Any] = {"way": way, "items": count, "seconds": round(seconds), "items /s": count / seconds}
    row |= {"MB start": round(worked[0][1]), "MB middle": round(middle[1]), "MB end": round(worked[-1][1])}
    return row | {"faults": faults}


def _lost(running: Running, count: int) -> dict[str, Any]:
    """Two workers killed and Redis emptied when half is done; then two new workers."""
    before = running.standing()[0]
    first = [running.worker() for _ in range(WORKERS)]
    try:
        running.send(list(many_cars(count, "lost")))
        until(lambda: _done(running, before) >= count // 2, "half of them is done", seconds=3_600)
    finally:
        for worker in first:
            worker.kill()
    with redis.Redis.from_url(running.redis, socket_timeout=30) as server:
        server.flushall()
    done = _done(running, before)
    began = time.monotonic()
    again = [running.worker() for _ in range(WORKERS)]
    try:
        until(lambda: running.standing()[1] == 0, "nothing waits", seconds=3_600)
    finally:
        for worker in again:
            worker.kill()
    seconds = time.monotonic() - began
    revision = {f"lost-{number}": 1 for number in range(count)}
    row: dict[str, Any] = {"items": count, "done when killed": done, "workers": WORKERS, "seconds to complete": seconds}
    return row | {"faults": running.faults(revision)}


def _done(running: Running, before: int) -> int:
    items, pending = running.standing()
    return items - pending - before


def _resident(process: Background) -> float:
    """Megabytes of a process; 0 when it has ended."""
    try:
        text = Path(f"/proc/{process.process.pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
    return int(found[0]) / 1e3 if found else 0.0


if __name__ == "__main__":
    main()
