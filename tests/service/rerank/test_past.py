"""What of a person's events reaches the signals: what they may see, what says something, each item once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from domain.search import Scope
from rerank_service.candidate_vectors import CandidateVectors
from rerank_service.deadline import Deadline
from rerank_service.history import Past, read_history, telling_events
from rerank_service.request import PastEvent
from tests.service.rerank.world import World
from tests.support.toy_bundle import ToyBundle


def past(world: World, *events: PastEvent, audiences: Sequence[str] = ()) -> Past | None:
    return read_history(
        CandidateVectors(world.engine),
        lambda kind: f"{kind}-g1",
        scope=Scope("north", frozenset(audiences)),
        bundle=ToyBundle(),
        events=events,
        now=time.time(),
        deadline=Deadline(10.0),
    )


def event(id_: str, action: str = "view", when: float = 1_000.0, kind: str = "listing") -> PastEvent:
    return PastEvent(kind, id_, action, when)


def test_items_come_once_and_the_newest_first(world: World) -> None:
    found = past(world, event("n1", when=1.0), event("n2", when=3.0), event("n1", "purchase", when=2.0))
    assert found is not None
    assert found.ids("listing") == ("n2", "n1")
    assert found.ids("article") == ()
    # As in training, the newest event stands for all of an item.
    assert len(found.history.items) == 2


def test_the_last_event_on_each_of_the_newest_fifty_items_is_read() -> None:
    events = [event(f"i{number}", when=float(number)) for number in range(60)]
    found = telling_events(ToyBundle(), [event("i59", "purchase", when=100.0), *events])
    assert [one.id for one in found] == [f"i{number}" for number in range(59, 9, -1)]
    assert found[0].action == "purchase"


def test_what_was_only_shown_is_no_item_of_the_history(world: World) -> None:
    found = past(world, event("n1"), event("n2", "impression"))
    assert found is not None
    assert found.ids("listing") == ("n1",)
    assert past(world, event("n2", "impression")) is None


def test_being_shown_much_does_not_push_out_what_was_done(world: World) -> None:
    shown = [event("n2", "impression", when=2_000.0 + second) for second in range(60)]
    found = past(world, event("n1"), *shown)
    assert found is not None
    assert found.ids("listing") == ("n1",)


def test_what_the_person_may_not_see_is_no_item_either(world: World) -> None:
    found = past(world, event("dealer"), event("n1"), event("nobody's"))
    assert found is not None
    assert found.ids("listing") == ("n1",)
    of_dealer = past(world, event("dealer"), event("n1", when=1.0), audiences=["dealers"])
    assert of_dealer is not None
    assert of_dealer.ids("listing") == ("dealer", "n1")
