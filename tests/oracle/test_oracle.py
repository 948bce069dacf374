"""Whatever happens, the index ends as a plain dictionary says; and the dictionary notices when a guard is off.

The long series, with thousands of runs, is `make bench-oracle`.
"""

from __future__ import annotations

import uuid

import pytest

from tests.oracle.broken import BROKEN
from tests.oracle.crashing import Trouble
from tests.oracle.storages import embedded_storage, opensearch_storage
from tests.oracle.trial import attempt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Runs of the ordinary suite, and the most that a guard that is off may go unnoticed.
EMBEDDED, OPENSEARCH, UNNOTICED = 100, 8, 2_000


def test_the_embedded_engine_ends_as_the_oracle_says() -> None:
    trial = attempt(embedded_storage, EMBEDDED, seed_=1)
    assert not trial.violation, trial.violation
    assert trial.tally.runs >= EMBEDDED
    assert trial.tally.overlapping > EMBEDDED, "operations in the middle of each other"
    assert len(trial.tally.of(Trouble.KILLED)) >= 20, "kinds of calls that a process did not survive"


@pytest.mark.opensearch
def test_opensearch_ends_as_the_oracle_says(opensearch_url: str) -> None:
    storage = opensearch_storage(opensearch_url, f"oracle-{uuid.uuid4().hex[:8]}-")
    trial = attempt(storage, OPENSEARCH, seed_=2, steps=30, forgets_at_once=False)
    assert not trial.violation, trial.violation
    assert trial.tally.of(Trouble.KILLED)


@pytest.mark.parametrize("guard", list(BROKEN))
def test_a_guard_that_is_off_is_noticed(guard: str) -> None:
    trial = attempt(embedded_storage, UNNOTICED, seed_=3, wiring=BROKEN[guard], shrinking=False)
    assert trial.violation, f"{trial.tally.runs} runs without the {guard}, and nothing was wrong"
