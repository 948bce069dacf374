"""JSON routes: bodies read by orjson, which takes neither NaN nor half a character."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute


class JsonRequest(Request):
    """A request whose body is strict JSON in UTF-8."""

    async def json(self) -> Any:
        """The body; orjson's error is a `json.JSONDecodeError`, which FastAPI reports as a validation error."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route that reads strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, given a `JsonRequest`."""
        answer = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await answer(JsonRequest(request.scope, request.receive))

        return strict
