"""The body limit: a request larger than this is refused before anything reads it."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rerank_service.error_answers import error_body, json_answer

MAX_BODY_BYTES: Final = 1_048_576


class BodyLimit:
    """Reads the body up to the limit and hands it on whole.

    Args:
        app: what is behind it.
        limit: bytes.
        streamed: paths that read their bodies piece by piece, with limits of their own.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES, streamed: Container[str] = ()) -> None:
        self._app = app
        self._limit = limit
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        body = b"" if not told.isdigit() or int(told) <= self._limit else None
        more = body is not None
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                body, more = None, False
        if body is None:
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = error_body(
            "too_large",
            "body",
            expected=f"at most {self._limit} bytes",
            got="more",
            fix="Send fewer history events or filters, or a smaller item.",
        )
        await json_answer(told, 413, {"Connection": "close"})(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
