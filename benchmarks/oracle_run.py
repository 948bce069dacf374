"""The oracle run at length: thousands of interleavings on both engines, and the negative controls.

Usage: python -m benchmarks.oracle_run [--embedded 10000] [--opensearch 1000] [--seed 1] [--no-controls]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from tests.oracle.broken import BROKEN
from tests.oracle.crashing import Tally, Trouble, Where
from tests.oracle.storages import Storage, embedded_storage, opensearch_storage
from tests.oracle.trial import attempt

#: Runs of one series: a violation names its series.
SERIES = {"embedded": 500, "opensearch": 50}
#: Runs after which a guard that is off counts as unnoticed.
UNNOTICED = 3_000


def interleavings(name: str, storage: Storage, wanted: int, seed: int) -> tuple[dict[str, Any], Tally]:
    """Series of runs until so many different ones have happened, or one went wrong."""
    tally, seeds, seconds, violations = Tally(), seed, 0.0, 0
    while len(tally.interleavings) < wanted and not violations:
        trial = attempt(storage, SERIES[name], seeds, forgets_at_once=name == "embedded", tally=tally)
        seconds += trial.seconds
        if trial.violation:
            violations += 1
            print(f"{name}, seed {seeds}:\n{trial.violation}", flush=True)
        print(f"{name}, seed {seeds}: {len(tally.interleavings):,} interleavings, {seconds:,.0f} s", flush=True)
        seeds += 1
    row = {
        "engine": name,
        "interleavings": len(tally.interleavings),
        "runs": tally.runs,
        "operations": sum(tally.operations.values()),
        "in the middle of others": tally.overlapping,
        "I/O calls": sum(tally.calls.values()),
        "kills": sum(tally.of(Trouble.KILLED).values()),
        "answers cut off": sum(tally.of(Trouble.AWAY).values()),
        "queue lost": tally.events["queue lost"],
        "kinds of calls": len(tally.calls),
        "never killed at": len(tally.spared()),
        "seeds": f"{seed}-{seeds - 1}",
        "seconds": round(seconds),
        "violations": violations,
    }
    return row, tally


def crashes(name: str, tally: Tally) -> list[dict[str, Any]]:
    """How often a process was killed at each kind of call, and how far the call had come."""
    rows = []
    for place in sorted(tally.calls):
        counts = {
            str(where): sum(
                count
                for (at, blow), count in tally.blows.items()
                if at == place and (blow.trouble, blow.where) == (Trouble.KILLED, where)
            )
            for where in Where
        }
        rows.append({"engine": name, "operation: call": place, "calls": tally.calls[place], **counts})
    return rows


def controls(seed: int) -> list[dict[str, Any]]:
    """How soon a run goes wrong when a guard is off."""
    rows = []
    for guard, wiring in BROKEN.items():
        trial = attempt(embedded_storage, UNNOTICED, seed, wiring=wiring, shrinking=False)
        row = {
            "guard that is off": guard,
            "noticed": "yes" if trial.violation else "NO",
            "run": trial.tally.runs,
            "seconds": round(trial.seconds, 1),
            "as": trial.violation.partition("\n")[0][:90],
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def on_opensearch(run: Callable[[str, Path], None]) -> None:
    """Call it with the address of a real node and a folder."""
    from tests.support.opensearch_node import running_node

    with tempfile.TemporaryDirectory(prefix="sidetower-oracle-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        with running_node(root / "node", fast=False) as node:
            run(node.url, root)


def main() -> None:
    """Run what is asked for and publish the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedded", type=int, default=10_000)
    parser.add_argument("--opensearch", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--controls", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    wrong = False
    if arguments.controls:
        rows = controls(arguments.seed)
        publish("oracle_controls", rows, "each guard switched off in the wiring of the processes; embedded engine")
        wrong |= any(row["noticed"] != "yes" for row in rows)
    found: list[tuple[dict[str, Any], Tally]] = []
    if arguments.embedded:
        found.append(interleavings("embedded", embedded_storage, arguments.embedded, arguments.seed))
    if arguments.opensearch:
        prefix = f"oracle-{uuid.uuid4().hex[:8]}-"

        def run(url: str, _: Path) -> None:
            storage = opensearch_storage(url, prefix)
            found.append(interleavings("opensearch", storage, arguments.opensearch, arguments.seed))

        on_opensearch(run)
    if found:
        publish("oracle_crashes", [row for each, tally in found for row in crashes(each["engine"], tally)])
        publish(
            "oracle_run",
            [row for row, _ in found],
            "hypothesis state machine, one process at a time makes one I/O call",
        )
        wrong |= any(row["violations"] for row, _ in found)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
