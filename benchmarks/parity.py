"""Parity: the lean run time against TensorFlow on thousands of random inputs, each network's largest difference.

python -m benchmarks.parity [--inputs 10000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.report import publish
from tests.support.parity import greatest_differences, pairs

#: What promise 9 allows.
ALLOWED: Final = 1e-4


def main() -> None:
    """Compare every network; exit status 1 when one is farther off than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="random inputs of each network")
    inputs = parser.parse_args().inputs
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, pair in pairs(Path(folder)).items():
            began = time.monotonic()
            found = greatest_differences(pair, inputs)
            told = {f"from {other}": f"{difference:.1e}" for other, difference in found.items()}
            rows.append({"network": name, "inputs": inputs, **told, "seconds": round(time.monotonic() - began, 1)})
            rows[-1]["within"] = "yes" if max(found.values()) <= ALLOWED else "no"
    publish("parity", rows, f"largest differences; {ALLOWED:g} is allowed")
    sys.exit(any(row["within"] == "no" for row in rows))


if __name__ == "__main__":
    main()
