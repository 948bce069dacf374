"""The work queue inside one process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.ports import WorkQueue
from plugin.queues.in_process import InProcessQueue
from tests.contracts.queue_model import check_against_model
from tests.contracts.queue_suite import QueueContract


class Clock:
    """Seconds that pass when told, and a little with every look, as on a server."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


class TestInProcessQueue(QueueContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def make_queue(self, clock: Clock) -> Callable[..., WorkQueue]:
        def make(bound: int = 1_000) -> WorkQueue:
            return InProcessQueue(bound, clock)

        return make

    @pytest.fixture
    def let_pass(self, clock: Clock) -> Callable[[float], None]:
        def let_pass(seconds: float) -> None:
            clock.now += seconds

        return let_pass


def test_agrees_with_the_model() -> None:
    check_against_model(lambda bound: InProcessQueue(bound, Clock()), examples=100)
