"""Errors as HTTP answers: one shape for every error, whoever found it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from domain.errors import SidetowerError, Unavailable

_LOG = logging.getLogger("sidetower.service")
_CODES: Final = {400: "invalid_query", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_ROUTES: Final = "The routes are listed in /openapi.json and docs/reference/http.md."


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The content as a JSON answer."""
    return Response(orjson.dumps(content), status, dict(headers or {}), media_type="application/json")


def error_body(code: str, place: str, *, expected: str, got: str, fix: str) -> dict[str, dict[str, str]]:
    """The one error shape."""
    error = {"code": code, "place": place, "expected": expected, "got": got, "fix": fix}
    # Quoted input may hold lone surrogates, which JSON cannot carry.
    return {"error": {name: text.encode("utf-8", "replace").decode("utf-8") for name, text in error.items()}}


def error_of(error: SidetowerError) -> dict[str, dict[str, str]]:
    """An error of the tree in the one shape."""
    return error_body(error.code, error.place, expected=error.expected, got=error.got, fix=error.fix)


def answer_errors(app: FastAPI) -> None:
    """Give every error of this application the one shape."""
    app.add_exception_handler(SidetowerError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RecursionError, _too_deep)
    app.add_exception_handler(Exception, _unexpected)


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SidetowerError)  # noqa: S101 - registered for this type
    headers = {"Retry-After": "1"} if isinstance(error, Unavailable) else {}
    return json_answer(error_of(error), error.status, headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    return json_answer(error_of_fields(error.errors()), 422)


def error_of_fields(found: Sequence[Mapping[str, Any]], whole: str = "request") -> dict[str, dict[str, str]]:
    """What pydantic found wrong, the first of it in the one shape, the others by name.

    Args:
        found: its errors.
        whole: the place of an error that is no field's.
    """
    first, others = found[0], [_place(one["loc"]) for one in found[1:]]
    fix = _fix(first)
    if others:
        fix += f" Wrong as well: {', '.join(others)}."
    got = "nothing" if first["type"] == "missing" else repr(first.get("input"))[:120]
    return error_body("invalid_query", _place(first["loc"]) or whole, expected=_expected(first), got=got, fix=fix)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    got = f"{request.method} {request.url.path}"
    code = _CODES.get(error.status_code, "error")
    body = error_body(code, "request", expected="a method and path of this service", got=got, fix=_ROUTES)
    return json_answer(body, error.status_code, error.headers)


async def _too_deep(_request: Request, _error: Exception) -> Response:
    fix = "Flatten the document."
    body = error_body("invalid_query", "body", expected="JSON nested less deeply", got="hundreds of levels", fix=fix)
    return json_answer(body, 422)


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    fix = "This is a fault of the service: see its log, and report it."
    body = error_body("internal", request.url.path, expected="an answer", got=type(error).__name__, fix=fix)
    return json_answer(body, 500)


def _place(location: Sequence[str | int]) -> str:
    place = ""
    for step in location:
        if isinstance(step, str) and step.startswith("{"):
            continue  # the tag of a union's shape: no part of the request
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return place.removeprefix(".")


def _expected(first: Mapping[str, Any]) -> str:
    match first["type"]:
        case "missing":
            return "a value: it is required"
        case "extra_forbidden":
            return "no such field"
        case "json_invalid":
            return "well-formed JSON"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "a JSON object"
    message: str = first["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _fix(first: Mapping[str, Any]) -> str:
    match first["type"]:
        case "missing":
            return "Add it."
        case "extra_forbidden":
            return "Check its spelling, or leave it out: the fields are listed in docs/reference/http.md."
        case "json_invalid":
            return "Send valid JSON in UTF-8; NaN and Infinity are none."
        case "model_type" | "model_attributes_type" | "dict_type":
            return "Send a JSON object, with Content-Type: application/json."
    return "Correct it and send the request again."
