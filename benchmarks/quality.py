"""Ranking quality on real data: our networks beside tuned baselines, the same cases, ratios with intervals.

Reported are users, queries and threads of the development split of the data sets (15 % by hash), which nothing is
trained or tuned on. SIDETOWER_DATA names the folder of the data sets.

    SIDETOWER_DATA=... python -m benchmarks.quality [--encoder MODEL OR FOLDER] [TASK ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from benchmarks import quality_help, quality_movies, quality_steam
from benchmarks.report import publish

#: Figures and bars of a task, from the text encoder to build with.
Task = Callable[[str], tuple[list[dict[str, Any]], list[dict[str, Any]]]]

TASKS: Final[dict[str, Task]] = {
    "steam": lambda encoder: quality_steam.measure(encoder, cold=False),
    "steam-cold": lambda encoder: quality_steam.measure(encoder, cold=True),
    "movies": quality_movies.measure,
    "help": quality_help.measure,
}


def main() -> None:
    """Run the chosen tasks, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[[], *TASKS], help="which tasks; all by default")
    parser.add_argument("--encoder", default="bootstrap", help="text encoder of the bundles")
    given = parser.parse_args()
    for name in given.tasks or TASKS:
        figures, bars = TASKS[name](given.encoder)
        publish(f"quality-{name}", figures, f"encoder {given.encoder}")
        publish(f"quality-{name}-bars", bars, "95 % paired bootstrap over the cases")


if __name__ == "__main__":
    main()
