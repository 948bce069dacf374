"""A stand-in for the host's cluster: it keeps what it is sent, and answers as a test wants."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import QuietHandler, serving


@dataclass(frozen=True)
class Sent:
    """A request as it came over the wire."""

    method: str
    #: Path and query.
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of this header."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, name
        return values[0] if values else None

    @property
    def search(self) -> dict[str, Any]:
        """The body, decoded."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def is_page(self) -> bool:
        """Whether it asks for hits by their ids, as the second of two searches does."""
        return b'"ids"' in self.body

    @property
    def is_window(self) -> bool:
        """Whether it asks for ids and scores alone."""
        return not self.is_page and self.search.get("_source") is False


@dataclass(frozen=True)
class Answered:
    """What the stand-in says."""

    status: int = 200
    content: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json; charset=UTF-8"),)


@dataclass
class StandIn:
    """The cluster, open to a test."""

    answer: Callable[[Sent], Answered]
    address: str = ""
    sent: list[Sent] = field(default_factory=list)


@contextlib.contextmanager
def standing_in(answer: Callable[[Sent], Answered]) -> Iterator[StandIn]:
    """A cluster on loopback."""
    cluster = StandIn(answer)

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            sent = Sent(self.command, self.path, list(self.headers.items()), self._body())
            cluster.sent.append(sent)
            with contextlib.suppress(ConnectionError):
                told = cluster.answer(sent)
                self.send_response_only(told.status)
                for name, value in (*told.headers, ("content-length", str(len(told.content)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else told.content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815

    with serving(Handler) as cluster.address:
        yield cluster


def found(sent: Sent, scores: dict[str, float], **more: Any) -> Answered:
    """The answer to a search for these documents, as OpenSearch has it as far as ids, pages and ids to be filtered go.

    Args:
        sent: the search.
        scores: of the documents, by id.
        more: of the answer.
    """
    asked = sent.search
    ids = list(scores)
    if sent.is_page:
        wanted = asked["post_filter"]["bool"]["filter"][0]["ids"]["values"]
        ids = [id_ for id_ in ids if id_ in wanted]
    page = ids[asked.get("from", 0) :][: asked.get("size", 10)]
    hits = [{"_index": "cars", "_id": id_, "_score": scores[id_]} for id_ in page]
    if asked.get("_source") is not False:
        hits = [{**hit, "_source": {"title": f"title of {hit['_id']}"}} for hit in hits]
    total = {} if asked.get("track_total_hits") is False else {"total": {"value": len(scores), "relation": "eq"}}
    answer = {"took": 1, "timed_out": False, "hits": {**total, "max_score": max(scores.values()), "hits": hits}, **more}
    return Answered(content=json.dumps(answer).encode())
