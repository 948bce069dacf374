"""POST /v1/items/bulk through a real server: streams in both directions, bounded memory, callers that go away."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.service.rerank.served_process import Served
from tests.service.rerank.world import listing
from tests.support.needs import require

HEADERS = {"X-Sidetower-Tenant": "north"}
LINES = 5_000
#: What a kind does not read, so that a line is large and an item small.
UNREAD = "x" * 20_000


def put(id_: str, **fields: Any) -> bytes:
    return json.dumps({"op": "put", "kind": "listing", "document": listing(id_, "green boat", **fields)}).encode()


def memory(pid: int, name: str) -> int:
    """Bytes, as the system counts them: VmRSS now, VmHWM at most since the last reset."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return 1024 * int(found.group(1))


def connected(served: Served) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    connection.sendall(
        b"POST /v1/items/bulk HTTP/1.1\r\nHost: service\r\nX-Sidetower-Tenant: north\r\n"
        b"Connection: close\r\nTransfer-Encoding: chunked\r\n"
    )
    return connection


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def read_until(connection: socket.socket, found: bytes) -> bytes:
    received = b""
    while found not in received:
        piece = connection.recv(65_536)
        assert piece, received[-500:]
        received += piece
    return received


def stored(served: Served, id_: str) -> bool:
    return httpx.get(f"{served.address}/v1/similar/listing/{id_}", headers=HEADERS, timeout=30).status_code == 200


def test_five_thousand_lines_stream_through_in_bounded_memory(served: Served) -> None:
    require(Path("/proc/self/clear_refs").exists(), "this test reads /proc: run it on Linux")

    def lines() -> Iterator[bytes]:
        for number in range(LINES):
            yield put(f"b{number}", unread=UNREAD) + b"\n"

    with httpx.Client(base_url=served.address, headers=HEADERS, timeout=60) as client:
        client.post("/v1/items/bulk", content=put("warm", unread=UNREAD))
        before = memory(served.pid, "VmRSS")
        Path(f"/proc/{served.pid}/clear_refs").write_text("5")
        with client.stream("POST", "/v1/items/bulk", content=lines()) as answer:
            told = [json.loads(line) for line in answer.iter_lines()]
    grown = memory(served.pid, "VmHWM") - before
    assert [one["line"] for one in told] == list(range(1, LINES + 1))
    assert {one["outcome"] for one in told} == {"written"}
    assert told[-1]["id"] == f"b{LINES - 1}"
    # 100 MB went through.
    assert grown < LINES * len(UNREAD) / 3


def test_a_caller_that_reads_nothing_before_it_has_sent_all_is_no_deadlock(served: Served) -> None:
    """The answers outgrow every buffer of the two sockets several times."""
    lines = 100_000
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("POST", "/v1/items/bulk", body=iter([b"{\n" * 1_000] * (lines // 1_000)), headers=HEADERS)
    received = connection.getresponse().read()
    connection.close()
    assert received.count(b'"outcome":"invalid"') == lines
    assert len(received) > 20_000_000


def test_outcomes_come_while_the_caller_is_still_sending(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"\r\n" + chunk(put("early") + b"\n"))
        assert b'"id":"early"' in read_until(connection, b'"outcome":"written"')
        connection.sendall(chunk(put("late") + b"\n") + chunk(b""))
        assert b'"id":"late"' in read_until(connection, b"\r\n0\r\n\r\n")


def test_a_caller_that_waits_for_100_continue_gets_it(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"Expect: 100-continue\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.sendall(chunk(put("continued")) + chunk(b""))
        assert b"HTTP/1.1 200 " in read_until(connection, b"\r\n0\r\n\r\n")


def test_what_was_acknowledged_stays_when_the_caller_goes_away(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"\r\n" + chunk(put("kept") + b"\n"))
        read_until(connection, b'"outcome":"written"')
        # A line without its end, in a chunk that is complete.
        connection.sendall(chunk(put("half")))
        time.sleep(0.3)
    time.sleep(0.3)
    assert stored(served, "kept")
    assert not stored(served, "half")
    assert httpx.get(f"{served.address}/healthz").status_code == 200
