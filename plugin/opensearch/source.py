"""The host's own index as an item source; it is read, never written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import InvalidItem, InvalidQuery, NotFound, SidetowerError, SourceError
from plugin.opensearch.client import told

#: Documents for each round trip.
_PAGE: Final = 500
_KEEP_ALIVE: Final = "5m"
_WHOLE_NUMBERS: Final = {"byte", "short", "integer", "long", "unsigned_long"}


class OpenSearchSource:
    """Documents of an index, an alias or a pattern, each with its id (port `ItemSource`).

    Args:
        client: from `connect`.
        index: name of an index, an alias or a pattern.
        id_field: field of the source that holds the id; where a document lacks it, the document's ``_id`` stands in.
    """

    def __init__(self, client: OpenSearch, index: str, id_field: str) -> None:
        self._client = client
        self._index = index
        self._id_field = id_field
        #: Where it reads, as a person would name it.
        self.name = f"OpenSearch index {index}"

    def count(self) -> int | None:
        """How many documents can be found now."""
        with self._readable(), told(f"count {self._index}"):
            return int(self._client.count(index=self._index)["count"])

    def scan(self) -> Iterator[tuple[str, Mapping[str, Any] | Exception]]:
        """Every document as of now once, with its place (``cars/_doc/17``).

        Raises:
            SourceError: there is no such index, or it cannot be read.
        """
        with self._point_in_time() as held:
            body: dict[str, Any] = {
                "size": _PAGE,
                # `_doc` and not `_shard_doc`, which 2.19 refuses here.
                "sort": [{"_doc": "asc"}],
                "track_total_hits": False,
                "pit": {"id": held, "keep_alive": _KEEP_ALIVE},
            }
            while True:
                with told(f"read {self._index}"):
                    hits = self._client.search(body=body)["hits"]["hits"]
                for hit in _whole_groups(hits):
                    body["search_after"] = hit["sort"]
                    yield f"{hit['_index']}/_doc/{hit['_id']}", self._document(hit)
                if len(hits) < _PAGE:
                    return

    def fetch(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The documents of these ids; missing ones are left out.

        By ``_id`` first, which sees what was written a moment ago; what that does not find is searched by the id field.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(ids), _PAGE):
            asked = list(dict.fromkeys(ids[start : start + _PAGE]))
            found |= self._named(self._by_id(asked), asked)
            left = [one for one in asked if one not in found]
            if left:
                found |= self._named(self._by_field(left), left)
        return found

    def _by_id(self, ids: list[str]) -> list[dict[str, Any]]:
        try:
            with self._readable(), told(f"read {self._index}"):
                answer = self._client.mget(body={"ids": ids}, index=self._index)
        except InvalidQuery:  # an alias of several indexes, or a pattern: search finds them
            return []
        return [one for one in answer["docs"] if one.get("found")]

    def _by_field(self, ids: list[str]) -> list[dict[str, Any]]:
        """Also by ``_id``: the realtime read misses documents with a routing of their own."""
        ways = [{"ids": {"values": ids}}, *self._terms(ids)]
        # An id may stand in several indexes behind one alias, so there can be more documents than ids.
        body = {"query": {"bool": {"should": ways}}, "size": 2 * _PAGE, "track_total_hits": False}
        with self._readable(), told(f"search {self._index}"):
            hits: list[dict[str, Any]] = self._client.search(index=self._index, body=body)["hits"]["hits"]
        return hits

    def _terms(self, ids: list[str]) -> list[dict[str, Any]]:
        """How the id field can be searched: whole numbers and keywords can, plain text cannot be told apart."""
        paths = [self._id_field, f"{self._id_field}.keyword"]
        with self._readable(), told(f"look up the fields of {self._index}"):
            known = self._client.field_caps(index=self._index, fields=",".join(paths))["fields"]
        whole = [int(one) for one in ids if one.isascii() and one.isdecimal() and len(one) < 19]
        clauses: list[dict[str, Any]] = []
        for path in paths:
            types = set(known.get(path, {}))
            if types & _WHOLE_NUMBERS and whole:
                clauses.append({"terms": {path: whole}})
            elif "keyword" in types:
                clauses.append({"terms": {path: ids}})
        return clauses

    def _named(self, hits: Sequence[dict[str, Any]], asked: list[str]) -> dict[str, Mapping[str, Any]]:
        """The documents by the id that they themselves give, of those that were asked for."""
        read = (self._document(hit) for hit in hits)
        named = {str(one.get(self._id_field)): one for one in read if isinstance(one, Mapping)}
        return {one: named[one] for one in asked if one in named}

    def _document(self, hit: dict[str, Any]) -> Mapping[str, Any] | InvalidItem:
        source = hit.get("_source")
        if source is None:
            return InvalidItem(
                f"{hit['_index']}/_doc/{hit['_id']}",
                expected="a document with its _source",
                got="none",
                fix="Enable _source in that index, or read the items from a file.",
            )
        return source if source.get(self._id_field) is not None else {**source, self._id_field: hit["_id"]}

    @contextmanager
    def _point_in_time(self) -> Iterator[str]:
        with self._readable(), told(f"open {self._index}"):
            held: str = self._client.create_pit(index=self._index, keep_alive=_KEEP_ALIVE)["pit_id"]
        try:
            yield held
        finally:
            with suppress(SidetowerError), told(f"close {self._index}"):  # else it expires by itself
                self._client.delete_pit(body={"pit_id": [held]})

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except NotFound as error:
            fix = "Correct the name; `curl ADDRESS/_cat/indices` lists what there is."
            raise SourceError(self.name, expected="an index of that name", got=error.got, fix=fix) from error


def _whole_groups(hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The hits of a full page without its last sort value; all of them when the page is the last.

    Shards number their documents alike, so that equal values may continue on the next page, which starts after them.
    (An index has fewer shards than a page has documents.)
    """
    if len(hits) < _PAGE:
        return hits
    return [hit for hit in hits if hit["sort"] != hits[-1]["sort"]] or hits
