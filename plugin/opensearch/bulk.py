"""Bulk writes: bounded requests, one answer for each document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import TransportError

from domain.errors import Busy, NotFound
from plugin.opensearch.client import as_exception, counterpart, is_back_pressure, reason_of, told

MAX_DOCUMENTS: Final = 1_000
MAX_BYTES: Final = 5_000_000
#: Seconds until a write counts as unanswered, and more for each of its documents: a node with much else to do is slow,
#: not away, and what it did not answer in time it does all the same.
_SECONDS: Final = 10.0
_SECONDS_EACH: Final = 0.1


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """What became of one document."""

    status: int
    #: Why it was not written.
    reason: str = ""
    #: The server asked for less: the same write can succeed later.
    busy: bool = False


def send(client: OpenSearch, place: str, index: str, lines: Sequence[bytes], **params: Any) -> list[BulkAnswer]:
    """One answer for each of the lines, in order. After back-pressure the rest is not sent, and busy too.

    Args:
        client: from `connect`.
        place: what is being done, for messages.
        index: index or alias of every line.
        lines: action and document, each ending with a line feed.
        params: of the bulk call.

    Raises:
        NotFound: the index or alias is not there.
        Unavailable: no answer in time; what was sent may or may not be written.
    """
    answers: list[BulkAnswer] = []
    for batch in batches(lines):
        try:
            answers += _send_batch(client, place, index, batch, params)
        except Busy as busy:
            answers += [BulkAnswer(429, str(busy), busy=True)] * (len(lines) - len(answers))
            break
    return answers


def batches(
    lines: Sequence[bytes], max_documents: int = MAX_DOCUMENTS, max_bytes: int = MAX_BYTES
) -> Iterator[list[bytes]]:
    """The lines in order, in requests within both bounds; a larger document goes alone."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == max_documents or size + len(line) > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _send_batch(
    client: OpenSearch, place: str, index: str, lines: Sequence[bytes], params: dict[str, Any]
) -> list[BulkAnswer]:
    """One request; one that is too large for the server (or a proxy before it) in halves."""
    try:
        with told(place):
            answer = _post(client, index, lines, params)
    except _TooLarge as refused:
        if len(lines) == 1:
            return [BulkAnswer(413, str(refused))]
        middle = len(lines) // 2
        halves = (lines[:middle], lines[middle:])
        return [one for half in halves for one in _send_batch(client, place, index, half, params)]
    return [_read(next(iter(item.values())), place) for item in answer["items"]]


class _TooLarge(Exception):
    """The server refuses a body of this size."""


def _post(client: OpenSearch, index: str, lines: Sequence[bytes], params: dict[str, Any]) -> Any:
    body = b"".join(lines)
    try:
        seconds = _SECONDS + _SECONDS_EACH * len(lines)
        return client.bulk(body=body, index=index, request_timeout=seconds, **params)
    except TransportError as error:
        if error.status_code == 413:
            raise _TooLarge(f"a request of {len(body):,} bytes is more than the server takes") from error
        raise


def _read(item: dict[str, Any], place: str) -> BulkAnswer:
    error = item.get("error")
    if error is None:
        return BulkAnswer(item["status"])
    failure = counterpart(as_exception(item), place)
    if isinstance(failure, NotFound):
        raise failure
    # 503: a shard is moving or has no primary; nothing is wrong with the document.
    busy = is_back_pressure(item["status"], item) or item["status"] == 503
    return BulkAnswer(item["status"], reason_of(item), busy)
