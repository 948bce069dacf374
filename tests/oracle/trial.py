"""A series of runs: thousands of them by hypothesis, each with a fresh world, and what they came through."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import run_state_machine_as_test

from tests.oracle.crashing import Tally
from tests.oracle.machine import OracleRun
from tests.oracle.run import Violation
from tests.oracle.storages import Storage
from tests.oracle.world import Wiring

#: Every run is drawn anew. By itself hypothesis makes half of its runs from earlier ones, many of them the same again.
_DRAWN_ANEW = "drawn-anew"


class DrawnAnew(HypothesisProvider):
    """Hypothesis's own draws; another backend than its own is asked for every run from the beginning."""


AVAILABLE_PROVIDERS[_DRAWN_ANEW] = f"{__name__}.{DrawnAnew.__name__}"


@dataclass
class Trial:
    """What a series of runs came to."""

    seed: int
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    #: What was wrong, with all that had happened; empty when every run ended as the oracle says.
    violation: str = ""


def attempt(
    storage: Storage,
    runs: int,
    seed_: int,
    *,
    wiring: Wiring | None = None,
    steps: int = 40,
    forgets_at_once: bool = True,
    shrinking: bool = True,
    tally: Tally | None = None,
) -> Trial:
    """The result of so many runs, or of fewer when one of them goes wrong; the same one for the same seed.

    Args:
        storage: makes the storage of a run.
        runs: how many.
        seed_: of hypothesis.
        wiring: how processes are put together.
        steps: rules of one run at most.
        forgets_at_once: whether the engine takes what is older than a purged tombstone as new at once.
        tally: counts on, over several series.
        shrinking: whether to look for the shortest run that goes wrong.
    """
    result = Trial(seed_, tally or Tally())

    @seed(seed_)
    class Runs(OracleRun):
        pass

    Runs.storage, Runs.wiring, Runs.tally = staticmethod(storage), wiring or Wiring(), result.tally
    Runs.forgets_at_once = forgets_at_once
    chosen = settings(
        backend=_DRAWN_ANEW,
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrinking else (Phase.generate,),
    )
    began = time.monotonic()
    with _silence():
        try:
            run_state_machine_as_test(Runs, settings=chosen)
        except Violation as violation:
            result.violation = "\n".join([str(violation), *getattr(violation, "__notes__", [])])
    result.seconds = time.monotonic() - began
    return result


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing in the log: crashes and absent servers fill it by the thousand."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
