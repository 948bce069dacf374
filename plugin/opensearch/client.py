"""The OpenSearch client, and how its exceptions become ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import opensearchpy.exceptions as foreign
import orjson
from opensearchpy import OpenSearch
from opensearchpy.helpers import errors as foreign_helpers

from domain.errors import (
    AccessDenied,
    Busy,
    ConfigurationError,
    InvalidItem,
    InvalidQuery,
    NotFound,
    ReleaseConflict,
    SidetowerError,
    Unavailable,
)

__all__ = [
    "COUNTERPARTS",
    "OpenSearch",
    "OrjsonSerializer",
    "as_exception",
    "connect",
    "counterpart",
    "dumped",
    "is_back_pressure",
    "reason_of",
    "told",
]

#: Errors by which OpenSearch asks for less, whatever their HTTP status. Disk-flood blocks are 429 or 403 by version.
_BACK_PRESSURE: Final = {
    "circuit_breaking_exception",
    "cluster_block_exception",
    "opensearch_rejected_execution_exception",
    "rejected_execution_exception",
}

_CREDENTIALS: Final = "Check SIDETOWER_OPENSEARCH_USER, SIDETOWER_OPENSEARCH_PASSWORD and that user's roles."
_REPORT: Final = "This is a defect of Sidetower: please report it with this message."
_REACH: Final = "Check that OpenSearch runs at [engine] opensearch, then repeat."

#: What each exception of opensearch-py becomes: our error, what was expected, the way out. The nearest class counts.
COUNTERPARTS: Final[Mapping[type[Exception], tuple[type[SidetowerError], str, str]]] = {
    foreign.ImproperlyConfigured: (ConfigurationError, "usable connection settings", "Correct [engine] opensearch."),
    foreign.OpenSearchException: (Unavailable, "an answer", _REACH),
    foreign.SerializationError: (Unavailable, "JSON", "Check what answers at [engine] opensearch."),
    foreign.TransportError: (Unavailable, "an answer", _REACH),
    foreign.ConnectionError: (Unavailable, "a connection", _REACH),
    foreign.ConnectionTimeout: (Unavailable, "an answer in time", "Repeat; if it stays, look at the cluster's load."),
    foreign.SSLError: (ConfigurationError, "a trusted certificate", "Name the certificate authority in SSL_CERT_FILE."),
    foreign.AuthenticationException: (AccessDenied, "valid credentials", _CREDENTIALS),
    foreign.AuthorizationException: (AccessDenied, "permission", _CREDENTIALS),
    foreign.NotFoundError: (NotFound, "something of that name", "See `sidetower status` for what there is."),
    foreign.ConflictError: (ReleaseConflict, "what was read before", "Read it again, then repeat."),
    foreign.RequestError: (InvalidQuery, "a request that OpenSearch accepts", "Correct what the message names."),
    foreign.OpenSearchDslException: (InvalidQuery, "a request", _REPORT),
    foreign.UnknownDslObject: (InvalidQuery, "a request", _REPORT),
    foreign.ValidationException: (InvalidQuery, "a request", _REPORT),
    foreign.IllegalOperation: (InvalidQuery, "a request", _REPORT),
    foreign_helpers.BulkIndexError: (Unavailable, "every document written", _REACH),
    foreign_helpers.ScanError: (Unavailable, "the whole index", _REACH),
}


class OrjsonSerializer:
    """JSON by orjson, for opensearch-py; NumPy arrays go out as lists."""

    mimetype = "application/json"

    def loads(self, text: str | bytes) -> Any:
        """The decoded answer."""
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise foreign.SerializationError(text[:200], error) from error

    def dumps(self, data: Any) -> str | bytes:
        """The request's body; text and bytes are taken to be JSON already."""
        return data if isinstance(data, str | bytes) else dumped("request", data)


def dumped(place: str, data: Any) -> bytes:
    """The data as JSON, NumPy arrays as lists.

    Raises:
        InvalidItem: something in it is no JSON, such as half a surrogate pair in a text.
    """
    try:
        return orjson.dumps(data, _listed, orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        raise InvalidItem(
            place, expected="valid Unicode text and JSON values", got=str(error), fix="Clean it."
        ) from error


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # one that orjson does not read itself, such as a column of a matrix
        return value.tolist()
    raise TypeError


def connect(url: str, user: str = "", password: str = "", *, timeout: float = 10.0) -> OpenSearch:
    """A client for one address; nothing is sent yet.

    It never repeats a request by itself: writers, searchers and the schedule each have their own rule for that.

    Args:
        url: ``http://`` or ``https://`` address; certificates are always checked.
        user: empty for none.
        password: of the user.
        timeout: seconds for each call.

    Raises:
        ConfigurationError: the address is none.
    """
    if not url.startswith(("http://", "https://")):
        fix = 'Write it as opensearch = "http://localhost:9200".'
        raise ConfigurationError("[engine] opensearch", expected="an http:// or https:// address", got=url, fix=fix)
    with told("connecting"):
        return OpenSearch(
            [url],
            http_auth=(user, password) if user else None,
            timeout=timeout,
            max_retries=0,
            pool_maxsize=32,
            serializer=OrjsonSerializer(),
        )


@contextmanager
def told(place: str) -> Iterator[None]:
    """Inside, every exception of opensearch-py leaves as one of `domain.errors`.

    Args:
        place: what was being done: ``"search in listing-g1"``.
    """
    try:
        yield
    except tuple(COUNTERPARTS) as error:
        raise counterpart(error, place) from error


def counterpart(error: Exception, place: str) -> SidetowerError:
    """Our error for one of opensearch-py's, or for an error inside an answer (see `as_exception`)."""
    kind, expected, fix = next(COUNTERPARTS[one] for one in type(error).__mro__ if one in COUNTERPARTS)
    if isinstance(error, foreign.TransportError):
        if is_back_pressure(error.status_code, error.info):
            kind, expected, fix = Busy, "room for more requests", "Wait, then repeat."
        got = f"{error.status_code} {reason_of(error.info) or error.error}"
    else:
        got = str(error)
    return kind(f"OpenSearch, {place}", expected=expected, got=got[:500], fix=fix)


def as_exception(answer: Mapping[str, Any]) -> Exception:
    """The exception that opensearch-py would have raised for one failed part of an answer."""
    error = answer["error"]
    status = int(answer.get("status") or (404 if _type_of(error) == "index_not_found_exception" else 500))
    kind = foreign.HTTP_EXCEPTIONS.get(status, foreign.TransportError)
    made: Exception = kind(status, _type_of(error), {"error": error})
    return made


def is_back_pressure(status: int | str, info: Any) -> bool:
    """Whether the server asks for less, so that the same request can succeed later."""
    error = info.get("error") if isinstance(info, Mapping) else None
    return status == 429 or _type_of(error) in _BACK_PRESSURE


def reason_of(info: Any) -> str:
    """What an error document says, its innermost cause included."""
    error = info.get("error") if isinstance(info, Mapping) else None
    if not isinstance(error, Mapping):
        return str(error or "")
    reasons = [f"{error.get('type', '')}: {error.get('reason', '')}"]
    cause = error.get("caused_by")
    while isinstance(cause, Mapping):
        reasons.append(str(cause.get("reason", "")))
        cause = cause.get("caused_by")
    return "; ".join(dict.fromkeys(reasons))


def _type_of(error: Any) -> str:
    return str(error.get("type", "")) if isinstance(error, Mapping) else ""
