"""POST /v1/items/bulk: one outcome for each line, whatever its neighbours are."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from domain.errors import Busy, Unavailable
from domain.items import Change, Item
from domain.search import Scope
from domain.versions import ItemOutcome, Outcome
from rerank_service.body_limit import MAX_BODY_BYTES
from rerank_service.bulk_lines import BATCH_LINES, MAX_LINE_BYTES
from rerank_service.bulk_routes import PAUSE_SECONDS
from tests.service.rerank.test_errors import SHAPE, error_of
from tests.service.rerank.world import World, ids, listing
from tests.support.service_client import ServiceClient


def put(id_: str, title: str = "green boat", **fields: Any) -> dict[str, Any]:
    return {"op": "put", "kind": "listing", "document": listing(id_, title, **fields)}


def delete(id_: str, revision: int | str) -> dict[str, Any]:
    return {"op": "delete", "kind": "listing", "id": id_, "revision": revision}


@pytest.fixture
def client(empty_world: World) -> ServiceClient:
    """The service over generations without items."""
    return ServiceClient(empty_world.app())


def outcomes(told: list[dict[str, Any]]) -> list[str]:
    return [one["outcome"] for one in told]


def test_changes_and_removals_are_stored(empty_world: World, client: ServiceClient) -> None:
    told = client.bulk(put("1", "green boat", version=5), put("2", "green car"), delete("2", 2))
    assert told == [
        {"line": 1, "outcome": "written", "kind": "listing", "id": "1", "revision": 5},
        {"line": 2, "outcome": "written", "kind": "listing", "id": "2", "revision": 1},
        {"line": 3, "outcome": "written", "kind": "listing", "id": "2", "revision": 2},
    ]
    empty_world.engine.refresh("listing-g1")
    assert ids(client.search(query="green")) == ["1"]


def test_each_line_has_its_own_outcome(client: ServiceClient) -> None:
    client.bulk(put("1", version=5))
    told = client.bulk(put("1", version=4), put("1", "other", version=5), put("1", version=5), put("1", version=6))
    assert outcomes(told) == ["stale", "conflicting_revision", "written", "written"]
    assert told[1]["error"]["code"] == "conflicting_revision"
    assert "retry" not in told[1]
    assert "error" not in told[0]


def test_several_changes_of_one_item_in_one_call_count_in_order(empty_world: World, client: ServiceClient) -> None:
    told = client.bulk(put("1", "one", version=1), put("1", "three", version=3), put("1", "two", version=2))
    assert outcomes(told) == ["written", "written", "stale"]
    stored = empty_world.engine.lookup("listing-g1", Scope("north"), ["1"])
    assert stored["1"].item.texts == {"title": "three"}


def test_kinds_without_revisions_take_the_time(client: ServiceClient) -> None:
    edit = {"op": "put", "kind": "article", "id": "a", "document": {"title": "edit"}}
    told = client.bulk(edit, edit | {"document": {"title": "again"}}, {"op": "delete", "kind": "article", "id": "a"})
    assert outcomes(told) == ["written"] * 3
    revisions = [one["revision"] for one in told]
    assert revisions == sorted(set(revisions))


def test_ids_and_revisions_may_stand_beside_the_document(client: ServiceClient) -> None:
    bare = {"op": "put", "kind": "listing", "document": {"title": "boat", "visible_to": ["*"]}}
    told = client.bulk(
        bare | {"id": "a/17", "revision": 7},
        bare | {"id": 18, "revision": "1970-01-01T00:00:08Z"},
        put("19") | {"id": "19", "revision": "20"},
    )
    assert [(one["id"], one["revision"]) for one in told] == [("a/17", 7), ("18", 8_000), ("19", 20)]


WRONG: list[tuple[Any, str, str, str]] = [
    (b"{", "invalid_query", "line", "well-formed JSON"),
    (b'{"op": "put", "kind": "\xff"}', "invalid_query", "line", "well-formed JSON"),
    (b'{"op": "put", "kind": "\\ud800"}', "invalid_query", "line", "well-formed JSON"),
    (b'{"op": "put", "kind": "listing", "document": {"price": NaN}}', "invalid_query", "line", "well-formed JSON"),
    (b"[" * 100_000, "invalid_query", "line", "well-formed JSON"),
    (b"x" * (MAX_LINE_BYTES + 1), "invalid_query", "line", f"at most {MAX_LINE_BYTES} bytes"),
    ([], "invalid_query", "line", "a JSON object"),
    ("put", "invalid_query", "line", "a JSON object"),
    ({}, "invalid_query", "op", "a value: it is required"),
    ({"op": "patch", "kind": "listing"}, "invalid_query", "op", "'put' or 'delete'"),
    (put("1") | {"op": None}, "invalid_query", "op", "'put' or 'delete'"),
    (put("1") | {"kind": "boat"}, "not_found", "kind", "one of: article, listing"),
    (put("1") | {"tenant": "south"}, "invalid_query", "tenant", "no such field"),
    (put("1") | {"document": None}, "invalid_query", "document", "put needs it"),
    (put("1") | {"document": "text"}, "invalid_query", "document", "a JSON object"),
    (put("1") | {"id": "2"}, "invalid_item", "field listing_id", "the id that it is told under, '2'"),
    (put("1") | {"id": ""}, "invalid_query", "id", "an id of 1 to 512 characters"),
    (put("1") | {"id": True}, "invalid_query", "id", "text or a whole number"),
    (put("x" * 401), "invalid_item", "id", "1 to 400 bytes"),
    (put(""), "invalid_item", "field listing_id", "an id"),
    (put("1", version=None), "invalid_item", "field version", "a whole number"),
    (put("1", price="cheap"), "invalid_item", "field price", "a number"),
    (put("1", visible_to=[]), "invalid_item", "field visible_to", "at least one group"),
    (put("1") | {"revision": "soon"}, "invalid_query", "revision", "a whole number or an ISO 8601 date"),
    (put("1") | {"revision": -1}, "invalid_item", "north/listing/1, revision", "a whole number from 0"),
    (put("1") | {"revision": 2**61}, "invalid_item", "north/listing/1, revision", "a whole number from 0"),
    (delete("1", 5) | {"document": {}}, "invalid_query", "document", "delete has none"),
    ({"op": "delete", "kind": "listing", "revision": 5}, "invalid_query", "id", "delete needs it"),
    ({"op": "delete", "kind": "listing", "id": "1"}, "invalid_query", "revision", "the removal's revision"),
]


@pytest.mark.parametrize(("line", "code", "place", "expected"), WRONG)
def test_a_wrong_line_is_told_and_its_neighbours_go_through(
    client: ServiceClient, line: Any, code: str, place: str, expected: str
) -> None:
    told = client.bulk(put("a"), line, put("b"))
    assert outcomes(told) == ["written", "invalid", "written"]
    error = told[1]["error"]
    assert set(error) == SHAPE
    assert (error["code"], error["place"].split(" of ")[0]) == (code, place)
    assert expected in error["expected"]
    assert "retry" not in told[1]
    assert [one["line"] for one in told] == [1, 2, 3]


def test_a_document_nested_without_end_is_told(client: ServiceClient) -> None:
    line = json.dumps(put("a", title="TITLE")).replace('"TITLE"', "[" * 1_000 + "]" * 1_000).encode()
    told = client.bulk(line, put("b"))
    assert outcomes(told) == ["invalid", "written"]
    assert told[0]["error"]["expected"] == "JSON nested less deeply"


def test_wrong_lines_name_what_they_told(client: ServiceClient) -> None:
    told = client.bulk(delete("1", 5) | {"document": {}}, b"{", {"kind": ["listing"], "id": "x" * 401})
    named = [(one["kind"], one["id"], one["revision"]) for one in told]
    assert named == [("listing", "1", 5), (None, None, None), (None, None, None)]


def test_blank_lines_count_but_are_not_answered(client: ServiceClient) -> None:
    told = client.bulk(b"", put("1"), b" \r", put("2"))
    assert [(one["line"], one["outcome"]) for one in told] == [(2, "written"), (4, "written")]


def test_line_ends_of_windows_and_no_line_end_at_all(client: ServiceClient) -> None:
    lines = b"\r\n".join(json.dumps(put(str(number))).encode() for number in range(3))
    answer = client.ask("POST", "/v1/items/bulk", content=lines)
    assert outcomes([json.loads(line) for line in answer.text.splitlines()]) == ["written"] * 3


def test_nothing_in_nothing_out(client: ServiceClient) -> None:
    answer = client.ask("POST", "/v1/items/bulk", content=b"")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_body_limit_of_other_routes_is_not_in_the_way(client: ServiceClient) -> None:
    told = client.bulk(*(put(str(number), "boat " * 20_000) for number in range(15)))
    assert len(told) * 100_000 > MAX_BODY_BYTES
    assert outcomes(told) == ["written"] * 15


def test_a_batch_is_one_call_of_the_live_lane(empty_world: World) -> None:
    calls: list[int] = []

    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        calls.append(len(changes))
        return empty_world.apply(changes)

    client = ServiceClient(empty_world.app(apply=apply))
    told = client.bulk(*(put(str(number)) for number in range(BATCH_LINES + 20)))
    assert outcomes(told) == ["written"] * (BATCH_LINES + 20)
    assert max(calls) <= BATCH_LINES
    assert len(calls) <= 10


def test_back_pressure_is_told_line_by_line(empty_world: World) -> None:
    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        busy = ItemOutcome(changes[1].key, Outcome.FAILED, "429 from the engine", busy=True)
        refused = ItemOutcome(changes[2].key, Outcome.FAILED, "mapping refused")
        return [*empty_world.apply(changes[:1]), busy, refused]

    client = ServiceClient(empty_world.app(apply=apply))
    started = time.monotonic()
    told = client.bulk(put("1"), put("2"), put("3"))
    assert time.monotonic() - started >= PAUSE_SECONDS
    assert outcomes(told) == ["written", "failed", "failed"]
    assert (told[1]["retry"], told[1]["error"]["code"], told[1]["error"]["got"]) == (
        True,
        "busy",
        "429 from the engine",
    )
    assert (told[2].get("retry"), told[2]["error"]["code"]) == (None, "not_stored")


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (Unavailable("engine", expected="an answer", got="none", fix="Start it."), "unavailable", True),
        (Busy("engine", expected="room", got="429", fix="Wait."), "busy", True),
        (KeyError("a bug"), "internal", None),
    ],
)
def test_an_engine_that_goes_away_in_the_middle(
    empty_world: World, error: Exception, code: str, retry: bool | None
) -> None:
    taken: list[Change] = []

    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        if taken:
            raise error
        taken.extend(changes)
        return empty_world.apply(changes)

    client = ServiceClient(empty_world.app(apply=apply))
    told = client.bulk(*(put(str(number)) for number in range(BATCH_LINES)), put("later"), b"{", put("last"))
    written = len(taken)
    assert 0 < written <= BATCH_LINES
    assert outcomes(told[:written]) == ["written"] * written
    rest = told[written:]
    assert [one["line"] for one in told] == list(range(1, BATCH_LINES + 4))
    failed = [one for one in rest if one["outcome"] == "failed"]
    # What is wrong with a line is told, whether or not the engine is there.
    assert len(failed) == len(rest) - 1
    assert {(one["error"]["code"], one.get("retry")) for one in failed} == {(code, retry)}
    assert failed[-1]["id"] == "last"


def test_a_kind_without_a_release_takes_no_other_down(empty_world: World) -> None:
    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        if any(change.key.kind == "article" for change in changes):
            raise Unavailable("kind article", expected="a release", got="none yet", fix="Build it.")
        return empty_world.apply(changes)

    client = ServiceClient(empty_world.app(apply=apply))
    article = {"op": "put", "kind": "article", "id": "a", "document": {"title": "x"}}
    told = client.bulk(put("1"), article, put("2"))
    assert outcomes(told) == ["written", "failed", "written"]
    assert (told[1]["kind"], told[1]["id"], told[1]["retry"]) == ("article", "a", True)


def test_a_caller_that_pauses_gets_what_it_has_sent(client: ServiceClient) -> None:
    arrived: list[float] = []

    async def lines() -> AsyncIterator[bytes]:
        yield json.dumps(put("1")).encode() + b"\n"
        await asyncio.sleep(0.5)
        arrived.append(time.monotonic())
        yield json.dumps(put("2")).encode() + b"\n"

    written: list[float] = []
    told = client.app

    async def watch(scope: Any, receive: Any, send: Any) -> None:
        async def seen(message: Any) -> None:
            if message.get("body"):
                written.append(time.monotonic())
            await send(message)

        await told(scope, receive, seen)

    answer = ServiceClient(watch).ask("POST", "/v1/items/bulk", content=lines())
    assert len(answer.text.splitlines()) == 2
    assert written[0] < arrived[0] < written[-1]


#: A bulk call as an ASGI server hands it on.
BULK_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "POST",
    "path": "/v1/items/bulk",
    "raw_path": b"/v1/items/bulk",
    "query_string": b"",
    "root_path": "",
    "scheme": "http",
    "headers": [(b"x-sidetower-tenant", b"north")],
    "client": ("127.0.0.1", 1),
    "server": ("service", 80),
}


def test_half_a_line_of_a_caller_that_went_away_is_not_stored(empty_world: World) -> None:
    stored: list[Change] = []

    def apply(changes: Sequence[Change]) -> list[ItemOutcome]:
        stored.extend(changes)
        return empty_world.apply(changes)

    app = empty_world.app(apply=apply)
    whole = json.dumps(put("1")).encode()
    # The caller meant to go on with "23": what came of it reads as a whole line of its own.
    half = json.dumps(delete("1", 1)).encode()
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": whole + b"\n", "more_body": True},
        {"type": "pause"},
        {"type": "http.request", "body": half, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if messages[0]["type"] == "pause":
            messages.pop(0)
            await asyncio.sleep(0.5)
        return messages.pop(0) if len(messages) > 1 else messages[0]

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(asyncio.wait_for(app(BULK_SCOPE, receive, send), 10))
    assert [type(change) for change in stored] == [Item]
    assert json.loads(b"".join(sent))["outcome"] == "written"
    assert set(empty_world.engine.lookup("listing-g1", Scope("north"), ["1"])) == {"1"}


def test_other_methods_and_a_missing_tenant_have_the_error_shape(client: ServiceClient) -> None:
    answer = client.ask("GET", "/v1/items/bulk")
    assert (answer.status_code, error_of(answer)["code"]) == (405, "method_not_allowed")
    nobody = ServiceClient(client.app, None).ask("POST", "/v1/items/bulk", content=b"{}")
    assert (nobody.status_code, error_of(nobody)["place"]) == (422, "header X-Sidetower-Tenant")


def test_two_callers_at_once_do_not_mix(empty_world: World) -> None:
    app = empty_world.app()

    async def one(tenant: str) -> list[str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            content = b"".join(json.dumps(put(f"{tenant}{n}")).encode() + b"\n" for n in range(300))
            headers = {"X-Sidetower-Tenant": tenant}
            answer = await client.post("/v1/items/bulk", content=content, headers=headers)
            return [json.loads(line)["id"] for line in answer.text.splitlines()]

    async def both() -> list[list[str]]:
        return list(await asyncio.gather(one("north"), one("south")))

    assert asyncio.run(both()) == [[f"{tenant}{n}" for n in range(300)] for tenant in ("north", "south")]
