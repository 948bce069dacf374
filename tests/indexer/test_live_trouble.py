"""The live lane when something beside it is broken: text still goes first."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Unavailable
from domain.versions import Outcome
from domain.work import Lane, Task
from indexer.live import LiveWriter
from plugin.queues.in_process import InProcessQueue
from tests.indexer.conftest import House, item
from tests.support.toy_embedder import ToyEmbedder


class SilentQueue(InProcessQueue):
    """A queue whose server does not answer."""

    asked = 0

    def add(self, tasks: Sequence[Task], lane: Lane = Lane.LIVE, delay: float = 0.0) -> int:
        self.asked += 1
        raise Unavailable("queue", expected="an answer", got="silence", fix="Start it.")


def test_a_queue_that_does_not_answer_is_asked_once_and_left_alone(house: House) -> None:
    house.begin()
    queue = SilentQueue()
    live = LiveWriter(house.engine, house.view, queue, lambda _: house.embedder, house.clock)
    told = [live.apply([item(number)])[0].outcome for number in range(5)]
    assert (told, queue.asked) == ([Outcome.WRITTEN] * 5, 1)


def test_a_bundle_that_cannot_be_read_keeps_no_change_out(house: House) -> None:
    house.begin()

    def damaged(generation: str) -> ToyEmbedder:
        raise ValueError(f"the manifest of {generation} is cut off")

    live = LiveWriter(house.engine, house.view, house.queue, damaged, house.clock)
    assert [one.outcome for one in live.apply([item(1)])] == [Outcome.WRITTEN]
    assert house.queue.depth(Lane.LIVE).waiting == 1
