"""Episodes with real processes that are killed: changes over HTTP, two workers, Redis emptied, the node restarted.

Usage: python -m benchmarks.oracle_episodes [--groups 5] [--episodes 40] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from domain.versions import Outcome
from tests.oracle.episodes import Group
from tests.oracle.town import Disaster, build_house, running_town

#: What befalls each group; five groups make 130 kills, 25 emptied Redises and 10 restarts.
DISASTERS = {
    Disaster.WORKER_KILLED: 14,
    Disaster.SERVICE_KILLED: 10,
    Disaster.REDIS_FLUSHED: 5,
    Disaster.NODE_KILLED: 1,
    Disaster.NODE_RESTARTED: 1,
}


def row_of(group: Group, happened: Counter[str], wrong: list[str], seconds: float) -> dict[str, Any]:
    """A group's figures."""
    answers: Counter[str] = sum((one.answers for one in group.episodes), Counter())
    return {
        "seed": group.seed,
        "episodes": len(group.episodes),
        "operations": sum(one.operations for one in group.episodes),
        **{outcome.value: answers[outcome] for outcome in Outcome if outcome is not Outcome.FAILED},
        "no answer": answers["no answer"],
        "kill -9": sum(
            happened[one] for one in (Disaster.WORKER_KILLED, Disaster.SERVICE_KILLED, Disaster.NODE_KILLED)
        ),
        "FLUSHALL": happened[Disaster.REDIS_FLUSHED],
        "node restarts": happened[Disaster.NODE_RESTARTED] + happened[Disaster.NODE_KILLED],
        "seconds": round(seconds),
        "violations": len(wrong),
    }


def main() -> None:
    """Play every group and publish what they came through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=40, help="of each group")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = []
    disasters = [one for one, count in DISASTERS.items() for _ in range(count)]
    with tempfile.TemporaryDirectory(prefix="sidetower-oracle-") as folder:
        root = Path(folder)
        # Who runs the node may not be who runs this.
        root.chmod(0o755)
        with running_town(build_house(root / "built"), root) as town:
            for number in range(arguments.groups):
                town.happened.clear()
                began = time.monotonic()
                group = Group(town, arguments.seed + number, arguments.episodes, disasters)
                wrong = group.play()
                rows.append(row_of(group, town.happened, wrong, time.monotonic() - began))
                print(rows[-1], *wrong[:20], sep="\n", flush=True)
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name != "seed"}
    rows.append({"seed": "all"} | total)
    publish("oracle_episodes", rows, "each episode a tenant of its own; afterwards both generations equal the oracle")
    sys.exit(bool(total["violations"]))


if __name__ == "__main__":
    main()
