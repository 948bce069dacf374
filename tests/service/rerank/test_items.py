"""PUT and DELETE /v1/items/{kind}/{id}: outcomes, revisions, ids."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import quote

import pytest

from domain.items import Change, ItemKey
from domain.versions import ItemOutcome, Outcome
from rerank_service.changes import RevisionClock, read_revision
from tests.service.rerank.world import World, ids, listing
from tests.support.service_client import ServiceClient


@pytest.fixture
def client(empty_world: World) -> ServiceClient:
    """The service over generations without items."""
    return ServiceClient(empty_world.app())


def test_told_found_taken_away(empty_world: World, client: ServiceClient) -> None:
    told = client.ask("PUT", "/v1/items/listing/1", json=listing("1", "green boat", version=5))
    assert told.status_code == 200
    assert told.json() == {
        "outcome": "written",
        "kind": "listing",
        "id": "1",
        "revision": 5,
        "searchable": "after the next refresh",
    }
    empty_world.engine.refresh("listing-g1")
    assert ids(client.search(query="boat")) == ["1"]
    gone = client.ask("DELETE", "/v1/items/listing/1?revision=6")
    assert (gone.status_code, gone.json()["outcome"], gone.json()["revision"]) == (200, "written", 6)
    empty_world.engine.refresh("listing-g1")
    assert ids(client.search(query="boat")) == []


def test_the_same_again_is_written(client: ServiceClient) -> None:
    for _ in range(2):
        answer = client.ask("PUT", "/v1/items/listing/1", json=listing("1", "boat"))
        assert (answer.status_code, answer.json()["outcome"]) == (200, "written")


def test_an_older_revision_is_stale(client: ServiceClient) -> None:
    client.ask("PUT", "/v1/items/listing/1", json=listing("1", "boat", version=5))
    older = client.ask("PUT", "/v1/items/listing/1", json=listing("1", "ship", version=4))
    assert (older.status_code, older.json()["outcome"]) == (200, "stale")
    assert client.ask("DELETE", "/v1/items/listing/1?revision=4").json()["outcome"] == "stale"
    client.ask("DELETE", "/v1/items/listing/1?revision=6")
    back = client.ask("PUT", "/v1/items/listing/1", json=listing("1", "boat", version=5))
    assert back.json()["outcome"] == "stale"


def test_other_content_under_the_same_revision_conflicts(client: ServiceClient) -> None:
    client.ask("PUT", "/v1/items/listing/1", json=listing("1", "boat", version=5))
    answer = client.ask("PUT", "/v1/items/listing/1", json=listing("1", "ship", version=5))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflicting_revision"
    assert "revision 5" in answer.json()["error"]["expected"]


def test_the_revision_parameter_overrides_the_document(client: ServiceClient) -> None:
    answer = client.ask("PUT", "/v1/items/listing/1?revision=2026-01-01T00:00:00Z", json=listing("1", "boat"))
    assert answer.json()["revision"] == 1_767_225_600_000


def test_a_kind_without_revisions_takes_the_time(client: ServiceClient) -> None:
    before = int(1000 * time.time())
    revisions = []
    for number in range(5):
        answer = client.ask("PUT", "/v1/items/article/a", json={"title": f"edit {number}"})
        assert answer.json()["outcome"] == "written"
        revisions.append(answer.json()["revision"])
    assert revisions == sorted(set(revisions))
    assert before <= revisions[0] <= int(1000 * time.time())
    assert client.ask("DELETE", "/v1/items/article/a").json()["outcome"] == "written"


def test_the_clock_of_revisions_never_repeats_for_an_item_and_never_runs_ahead_for_others() -> None:
    now = 12.0
    clock = RevisionClock(now=lambda: now)
    one, other = ItemKey("a", "article", "1"), ItemKey("a", "article", "2")
    assert [clock.next(one) for _ in range(3)] == [12_000, 12_001, 12_002]
    assert clock.next(other) == 12_000
    now = 12.001
    assert clock.next(one) == 12_003
    now = 13.0
    assert (clock.next(other), clock.next(one)) == (13_000, 13_000)


def test_a_removal_needs_the_hosts_revision_where_it_has_one(client: ServiceClient) -> None:
    answer = client.ask("DELETE", "/v1/items/listing/1")
    assert answer.status_code == 422
    assert answer.json()["error"]["place"] == "query.revision"


@pytest.mark.parametrize(("told", "revision"), [("17", 17), ("1970-01-01T00:00:01Z", 1000), ("1970-01-02", 86_400_000)])
def test_revisions_are_numbers_or_dates(told: str, revision: int) -> None:
    assert read_revision(told, "revision") == revision


@pytest.mark.parametrize(
    "id_", ["a/17", "a/b//c/", "köln 7", "車/12", "a%2Fb", "x?y#z", "50% off", "a+b", " lead", '"quoted"', "😀"]
)
def test_any_printable_id_makes_the_round_trip(empty_world: World, client: ServiceClient, id_: str) -> None:
    path = "/v1/items/listing/" + quote(id_, safe="")
    told = client.ask("PUT", path, json=listing(id_, "unusual id"))
    assert (told.status_code, told.json()["id"]) == (200, id_), told.text
    empty_world.embed_all()
    assert ids(client.search(query="unusual")) == [id_]
    similar = client.ask("GET", "/v1/similar/listing/" + quote(id_, safe=""))
    assert similar.status_code == 200
    assert client.ask("DELETE", f"{path}?revision=2").json()["outcome"] == "written"
    empty_world.engine.refresh("listing-g1")
    assert ids(client.search(query="unusual")) == []


def test_the_documents_id_may_be_left_out_or_a_number(client: ServiceClient) -> None:
    document = listing("1", "boat")
    del document["listing_id"]
    assert client.ask("PUT", "/v1/items/listing/1", json=document).json()["id"] == "1"
    assert client.ask("PUT", "/v1/items/listing/1", json=document | {"listing_id": 1}).json()["outcome"] == "written"


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ({"outcome": Outcome.FAILED, "reason": "429 from the engine", "busy": True}, 503, "busy"),
        ({"outcome": Outcome.FAILED, "reason": "mapping refused"}, 500, "not_stored"),
        ({"outcome": Outcome.CONFLICTING_REVISION}, 409, "conflicting_revision"),
    ],
)
def test_outcomes_that_are_errors(empty_world: World, outcome: dict[str, object], status: int, code: str) -> None:
    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        return [ItemOutcome(change.key, **outcome) for change in changes]  # type: ignore[arg-type]

    answer = ServiceClient(empty_world.app(apply=apply)).ask("PUT", "/v1/items/listing/1", json=listing("1", "boat"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)
    if "reason" in outcome:
        assert answer.json()["error"]["got"] == outcome["reason"]
