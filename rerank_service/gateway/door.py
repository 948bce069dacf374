"""The door: everything under /gateway/ goes to the host's cluster, and searches that can be ranked come back ranked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Container, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import InvalidQuery, SidetowerError
from rerank_service.degraded import Tally
from rerank_service.error_answers import error_of, json_answer
from rerank_service.gateway.asked import MAX_BODY_BYTES, Told, taken_apart
from rerank_service.gateway.bodies import Search
from rerank_service.gateway.cluster import Cluster, Headers
from rerank_service.gateway.outcome import PASSED, OwnSearch, Trouble
from rerank_service.gateway.ranked import Call, RankedSearches

PREFIX: Final = "/gateway"
#: Headers of one connection (RFC 9110, 7.6.1), and what the next connection sets anew.
_OF_THE_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"}
    | {b"trailer", b"transfer-encoding", b"upgrade", b"host", b"expect"}
)
#: Headers of a body that goes on otherwise than it came.
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-encoding"})
_SEARCH: Final = re.compile(r"/(?:([^/]+)/)?_search")

T = TypeVar("T")


class _Route(NamedTuple):
    """What metrics call a request."""

    path: str
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


@dataclass(frozen=True, slots=True)
class _Passing:
    """A request as it goes on to the cluster."""

    path: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes]
    #: Why it is a search that was not ranked.
    own: OwnSearch | None = None


class Gateway:
    """OpenSearch's own API before the host's cluster, for requests under `/gateway/`.

    Args:
        app: takes all others.
        cluster: the host's.
        ranked: ranks the searches that can be.
        tally: counts those that were to be ranked and were not.
    """

    def __init__(self, app: ASGIApp, cluster: Cluster, ranked: RankedSearches, tally: Tally) -> None:
        self._app = app
        self._cluster = cluster
        self._ranked = ranked
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on to the service; when that shuts down, hang up."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._cluster.close()
            return
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        path: bytes = scope["raw_path"].removeprefix(PREFIX.encode())
        steps = path.decode("ascii", "replace")
        search = _SEARCH.fullmatch(steps) if request.method in ("GET", "POST") else None
        scope["route"] = _Route(f"{PREFIX}/{{index}}/_search" if search else f"{PREFIX}/{{path}}")
        with suppress(ClientDisconnect):  # nobody is left to be answered
            if any(unquote(step) in (".", "..") for step in steps.split("/")):
                await _refused(_leaves_the_root(steps))(scope, receive, send)
            elif search:
                await self._search(request, path, unquote(search[1] or ""))
            else:
                await self._pass(request, _Passing(path, _along(request), request.stream()))

    async def _search(self, request: Request, path: bytes, index: str) -> None:
        headers, stream = _along(request), request.stream()
        content, whole = await _read(stream)
        if not whole:
            own = OwnSearch(PASSED, "body")
            await self._pass(request, _Passing(path, headers, _followed(content, stream), own))
            return
        told = taken_apart(content, request.headers.get("content-encoding", "").encode())
        try:
            call = _call(request, path, index, told)
            page = await _while_there(request, self._ranked.answer(call))
        except OwnSearch as own:
            if told.content is not content:
                headers = _without(headers, _OF_THE_BODY)
            await self._pass(request, _Passing(path, headers, told.content, own))
            return
        answer = Response()
        answer.body = page.body
        length = (b"content-length", str(len(page.body)).encode())
        answer.raw_headers = [*_without(page.headers, _OF_THE_CONNECTION | _OF_THE_BODY), length]
        await answer(request.scope, request.receive, request._send)

    async def _pass(self, request: Request, passing: _Passing) -> None:
        scope, receive, send = request.scope, request.receive, request._send
        query = scope["query_string"]
        target = passing.path + (b"?" + query if query else b"")
        async with AsyncExitStack() as stack:
            sent = stack.enter_async_context(self._cluster.send(request.method, target, passing.headers, passing.body))
            try:
                answer = await (_while_there(request, sent) if isinstance(passing.body, bytes) else sent)
            except SidetowerError as error:
                await _refused(error)(scope, receive, send)
                return
            # From here on there is no other answer: one that breaks off there breaks off here.
            response = StreamingResponse(answer.pieces(), answer.status)
            told = self._told(passing.own) if passing.own and answer.status < 400 else []
            response.raw_headers = [*_without(answer.headers, _OF_THE_CONNECTION), *told]
            await response(scope, receive, send)

    def _told(self, own: OwnSearch) -> Headers:
        """Headers that say why an answer is not ranked; a search that the cluster refuses as well was none to rank."""
        if own.value in list(Trouble):
            self._tally.add(own.value, own.__cause__ or own)
        return own.headers()


def _call(request: Request, path: bytes, index: str, told: Told) -> Call:
    if told.body is None:
        raise OwnSearch(PASSED, "body")
    if told.person is None:
        raise OwnSearch(PASSED, "ext.sidetower")
    query = request.scope["query_string"].decode("latin-1")
    if ";" in query:  # a separator there, and none here
        raise OwnSearch(PASSED, ";")
    url = dict(parse_qsl(query, keep_blank_values=True))
    headers = _without(_along(request), _OF_THE_BODY | {b"accept-encoding"})
    return Call(request.method, path, index, headers, Search(told.body, url), told.person)


def _along(request: Request) -> Headers:
    """The caller's headers that go along; sign-in is among them."""
    headers = request.headers.raw
    named = {one.strip().lower() for name, value in headers if name == b"connection" for one in value.split(b",")}
    return [pair for pair in _without(headers, _OF_THE_CONNECTION | named) if not pair[0].startswith(b"x-sidetower-")]


def _without(headers: Headers, names: Container[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name not in names]


async def _read(stream: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """The beginning of a body, and whether it is all of it."""
    content = bytearray()
    async for piece in stream:
        content += piece
        if len(content) > MAX_BODY_BYTES:
            return bytes(content), False
    return bytes(content), True


async def _followed(content: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield content
    async for piece in stream:
        yield piece


async def _while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to; a caller who hangs up ends it, and the cluster ends a search that nobody waits for.

    Raises:
        ClientDisconnect: the caller is gone.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _leaves_the_root(steps: str) -> SidetowerError:
    fix = "Percent-encode no dots; name the path as at the cluster."
    return InvalidQuery("path", expected="no step . or ..", got=repr(steps)[:120], fix=fix)


def _refused(error: SidetowerError) -> Response:
    """The one error shape, with what clients of OpenSearch look for beside it."""
    told = error_of(error)
    told["error"] |= {"type": f"sidetower_{error.code}", "reason": str(error)}
    return json_answer({**told, "status": error.status}, error.status)
