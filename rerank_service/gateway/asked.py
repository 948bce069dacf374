"""Asked: what a caller's body says to us, under `ext.sidetower`, and what is left of it for the cluster."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from domain.catalogue import Kind
from domain.errors import InvalidItem, InvalidQuery, SidetowerError
from domain.items import ItemKey
from rerank_service.bodies import MAX_QUERY_CHARACTERS, RankBody, Text
from rerank_service.error_answers import error_of_fields
from rerank_service.gateway.bodies import text_of
from rerank_service.gateway.outcome import Trouble, degraded
from rerank_service.gateway.targets import Target
from rerank_service.request import RerankRequest

#: Bytes of a search's body; a longer one is sent on as it is.
MAX_BODY_BYTES: Final = 1_048_576
_PLACE: Final = "ext.sidetower"


class PersonBody(RankBody):
    """What `ext.sidetower` may hold."""

    tenant: Text = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A body, taken apart."""

    #: Without `ext.sidetower`; None where it is no JSON object, which is for the cluster to say.
    body: Mapping[str, Any] | None
    #: `ext.sidetower`; None without, and for an explicit null.
    person: Any = None
    #: What goes on to the cluster.
    content: bytes = b""


def taken_apart(content: bytes, encoding: bytes) -> Told:
    """What the content says.

    Args:
        content: a body as it came.
        encoding: its `content-encoding`; empty without.
    """
    try:
        body = json.loads(_plain(content, encoding) or b"{}", object_pairs_hook=_once)
    except (ValueError, RecursionError, zlib.error):
        return Told(None, content=content)
    if not isinstance(body, dict):
        return Told(None, content=content)
    ext = body.get("ext")
    if not isinstance(ext, dict) or "sidetower" not in ext:
        return Told(body, content=content)
    others = {name: value for name, value in ext.items() if name != "sidetower"}
    rest = {name: value for name, value in body.items() if name != "ext"} | ({"ext": others} if others else {})
    return Told(rest, ext["sidetower"], as_json(rest))


def as_json(body: Mapping[str, Any]) -> bytes:
    """The body as it goes to the cluster."""
    return json.dumps(body, separators=(",", ":")).encode()


def request_of(person: Any, target: Target, query: Any, kinds: Mapping[str, Kind], arrived: float) -> RerankRequest:
    """What to rank by, still without candidates.

    Args:
        person: `ext.sidetower`.
        target: what the index is.
        query: of the body: where the person does not say what was typed, its text is looked for in it.
        kinds: the kinds that are served.
        arrived: `time.monotonic()` when the request came.

    Raises:
        OwnSearch: something is wrong with it.
    """
    try:
        if not isinstance(person, dict):
            raise InvalidQuery(_PLACE, expected="a JSON object", got=repr(person)[:120], fix='Send {"user": "u1"}.')
        told = {"kind": target.kind, "tenant": target.tenant, **person}
        if "query" not in told:
            told["query"] = text_of(query)[:MAX_QUERY_CHARACTERS]
        asked = _valid(told)
        return RerankRequest(**asked.rank_fields(_tenant(asked.tenant), kinds, arrived), explain=asked.explain)
    except SidetowerError as error:
        raise degraded(Trouble.REFUSED, str(error)) from error


def _valid(told: Mapping[str, Any]) -> PersonBody:
    try:
        return PersonBody.model_validate(told)
    except ValidationError as error:
        wrong = error_of_fields(error.errors())["error"]
        place = f"{_PLACE}.{wrong['place']}"
        raise InvalidQuery(place, expected=wrong["expected"], got=wrong["got"], fix=wrong["fix"]) from error


def _tenant(told: str) -> str:
    try:
        return ItemKey(told, "kind", "id").tenant
    except InvalidItem as error:
        raise InvalidQuery(
            f"{_PLACE}.tenant",
            expected="1 to 64 bytes of printable UTF-8",
            got=repr(told)[:120] if told else "nothing",
            fix="Send it, or set the tenant of the index under [gateway.indexes].",
        ) from error


def _plain(content: bytes, encoding: bytes) -> bytes:
    if not encoding or encoding == b"identity":
        return content
    if encoding != b"gzip":
        raise ValueError("another encoding")
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = unpacking.decompress(content, MAX_BODY_BYTES)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("too long, or not all of it")
    return plain


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a key stands in it twice, which OpenSearch refuses."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made
