"""Bulk: lines to changes, changes to the live lane, and one told outcome for each line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from pydantic import ValidationError

from domain.catalogue import Kind
from domain.errors import InvalidQuery, SidetowerError, StaleRelease, Unavailable
from domain.items import Change, ItemKey
from domain.versions import ItemOutcome
from rerank_service.bodies import HostId, StrictBody, Text
from rerank_service.bulk_lines import MAX_LINE_BYTES, Line
from rerank_service.changes import Apply, RevisionClock, outcome_error, read_item, read_removal
from rerank_service.error_answers import error_body, error_of, error_of_fields
from rerank_service.snapshot import kind_of

_LOG = logging.getLogger("sidetower.service")
_REPEAT: Final = "Nothing is lost: send the line again after a second."


class BulkLineBody(StrictBody):
    """One line of a bulk call."""

    op: Literal["put", "delete"]
    kind: Text
    #: For a put it may stand in the document instead.
    id: HostId | None = None
    #: Overrides the document's own.
    revision: int | str | None = None
    #: The host's own document, for a put only.
    document: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The answers to a batch."""

    #: One line of JSON for each line, in order.
    lines: bytes
    #: Whether some of it was put off: time to send less.
    busy: bool


class Bulk:
    """Takes batches of lines; blocking, safe to call from several threads.

    Args:
        apply: the live lane.
        kinds: the kinds that are served.
        clock: revisions for kinds without any.
    """

    def __init__(self, apply: Apply, kinds: Mapping[str, Kind], clock: RevisionClock) -> None:
        self._apply = apply
        self._kinds = kinds
        self._clock = clock

    def take(self, tenant: str, lines: Sequence[Line]) -> Told:
        """Store what the lines tell; each line has its own outcome, whatever its neighbours are."""
        read = [self._read(tenant, line) for line in lines]
        changes = [change for change, _ in read if change is not None]
        outcomes = iter(self._applied(changes))
        told = [answer if change is None else _outcome(change, next(outcomes)) for change, answer in read]
        return _told(lines, told)

    def put_off(self, lines: Sequence[Line], error: Exception) -> Told:
        """The answers to a batch of which it is not known whether it was stored."""
        return _told(lines, [_unknown("failed", _failure(error), retry=_can_repeat(error)) for _ in lines])

    def _read(self, tenant: str, line: Line) -> tuple[Change | None, dict[str, Any]]:
        """The change, or None and what is wrong with the line."""
        raw: Any = None
        try:
            raw = _json(line)
            return self._change(tenant, BulkLineBody.model_validate(raw)), {}
        except ValidationError as error:
            return None, _invalid(raw, error_of_fields(error.errors(), "line"))
        except SidetowerError as error:
            return None, _invalid(raw, error_of(error))
        except RecursionError:
            nested = InvalidQuery("line", expected="JSON nested less deeply", got="hundreds of levels", fix="Flatten.")
            return None, _invalid(None, error_of(nested))

    def _change(self, tenant: str, line: BulkLineBody) -> Change:
        kind = kind_of(line.kind, self._kinds)
        id_ = None if line.id is None else str(line.id)
        if line.op == "put":
            if line.document is None:
                raise _field("document", "the host's document: put needs it", "Add it, or send delete.")
            return read_item(
                kind, tenant, line.document, id_=id_, revision=line.revision, place="revision", clock=self._clock
            )
        if line.document is not None:
            raise _field("document", "no document: delete has none", "Leave it out, or send put.", got="one")
        if id_ is None:
            raise _field("id", "the id of the item: delete needs it", "Add it.")
        key = ItemKey(tenant, kind.name, id_)
        return read_removal(kind, key, revision=line.revision, place="revision", clock=self._clock)

    def _applied(self, changes: Sequence[Change]) -> list[ItemOutcome | Exception]:
        """One outcome each, in order; kind by kind, because one without a release takes no other down with it."""
        outcomes: dict[int, ItemOutcome | Exception] = {}
        for kind in dict.fromkeys(change.key.kind for change in changes):
            places = [place for place, change in enumerate(changes) if change.key.kind == kind]
            found: Sequence[ItemOutcome | Exception]
            try:
                found = self._apply([changes[place] for place in places])
            except Exception as error:
                if not isinstance(error, SidetowerError):
                    _LOG.exception("a batch of %d %s could not be stored", len(places), kind)
                found = [error] * len(places)
            outcomes.update(zip(places, found, strict=True))
        return [outcomes[place] for place in range(len(changes))]


def _json(line: Line) -> Any:
    if line.raw is None:
        raise InvalidQuery(
            "line",
            expected=f"at most {MAX_LINE_BYTES} bytes",
            got="more",
            fix="Leave out fields that the kind does not read.",
        )
    try:
        return orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        got = f"{error.msg} in {line.raw[:80]!r}"
        fix = "Send one JSON object in UTF-8 on each line; NaN and Infinity are none."
        raise InvalidQuery("line", expected="well-formed JSON", got=got, fix=fix) from error


def _field(place: str, expected: str, fix: str, got: str = "nothing") -> InvalidQuery:
    return InvalidQuery(place, expected=expected, got=got, fix=fix)


def _can_repeat(error: Exception) -> bool:
    return isinstance(error, Unavailable | StaleRelease)


def _failure(error: Exception) -> dict[str, dict[str, str]]:
    if isinstance(error, SidetowerError):
        return error_of(error)
    fix = "This is a fault of the service: see its log, and report it."
    return error_body("internal", "line", expected="an outcome", got=type(error).__name__, fix=fix)


def _outcome(change: Change, told: ItemOutcome | Exception) -> dict[str, Any]:
    named = {"kind": change.key.kind, "id": change.key.id, "revision": change.revision}
    if isinstance(told, Exception):
        return _unknown("failed", _failure(told), retry=_can_repeat(told)) | named
    error = outcome_error(change, told)
    answer = {"outcome": told.outcome.value, **named}
    if error is not None:
        answer |= error[1]
    return answer | {"retry": True} if told.busy else answer


def _invalid(raw: Any, error: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What is wrong, under the names that the line has told, as far as they can be told again."""
    answer = _unknown("invalid", error, retry=False)
    told = raw if isinstance(raw, dict) else {}
    for name in ("kind", "id", "revision"):
        value = told.get(name)
        if isinstance(value, str | int) and len(str(value)) <= 400:
            answer[name] = value
    return answer


def _unknown(outcome: str, error: dict[str, dict[str, str]], *, retry: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"outcome": outcome, "kind": None, "id": None, "revision": None, **error}
    return answer | {"retry": True} if retry else answer


def _told(lines: Sequence[Line], answers: Sequence[dict[str, Any]]) -> Told:
    told = b"".join(
        orjson.dumps({"line": line.number, **answer}, option=orjson.OPT_APPEND_NEWLINE)
        for line, answer in zip(lines, answers, strict=True)
    )
    return Told(told, busy=any(answer.get("retry", False) for answer in answers))
