"""The host's own index as an item source; it is read, never written."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import InvalidItem, InvalidQuery, NotFound, SidetowerError, SourceError
from plugin.opensearch.client import told
from plugin.opensearch.dated import DATES, NUMBERS, changed_body

#: Documents for each round trip.
_PAGE: Final = 500
#: Documents of one page of ids: as many as a search may return at once.
_MOST: Final = 10_000
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
        # `_doc` and not `_shard_doc`, which 2.19 refuses here.
        for hit in self._hits({"sort": [{"_doc": "asc"}]}):
            yield _place(hit), self._document(hit)

    def fetch(self, ids: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """Every document of these ids, each with its id.

        Read by ``_id``, which sees what was written or deleted a moment ago, and searched by the id field, which finds
        the documents of several tenants; what both know is taken as it was read.
        """
        found: list[tuple[str, Mapping[str, Any]]] = []
        for start in range(0, len(ids), _PAGE):
            asked = list(dict.fromkeys(ids[start : start + _PAGE]))
            read = self._by_id(asked)
            there = {name: hit for name, hit in read.items() if hit["found"]}
            # Without a routing of its own, a document that was not read is not there any more.
            searched = [
                hit for hit in self._by_field(asked) if hit["_id"] not in (there if "_routing" in hit else read)
            ]
            found += self._named([*there.values(), *searched], asked)
        return found

    def changed(
        self, field: str, since: float
    ) -> Generator[tuple[str, float, Mapping[str, Any] | Exception], None, None]:
        """Every document whose date is at or after `since`, oldest first, as of now.

        The date is what the index itself took the field for, whatever its format, rounded down to milliseconds; of
        several it is the latest. Documents without one are counted, and told in one.

        Raises:
            SourceError: there is no such index, it cannot be read, or the field holds neither dates nor numbers.
        """
        dates = self._holds_dates(field)
        for hit in self._hits(changed_body(field, since, dates=dates)):
            yield _place(hit), float(hit["sort"][0]), self._document(hit)
        if since == -math.inf:
            yield from self._undated(field)

    def _holds_dates(self, field: str) -> bool:
        """Whether the field holds dates; else it holds numbers."""
        with self._readable(), told(f"look up the fields of {self._index}"):
            known = self._client.field_caps(index=self._index, fields="*")["fields"]
        types = set(known.get(field, {}))
        if types and types <= DATES:
            return True
        if types and types <= NUMBERS:
            return False
        dates = sorted(name for name, held in known.items() if set(held) <= DATES)
        fix = f"Follow one of its dates: {', '.join(dates[:5])}." if dates else "Map a date in it, and index it anew."
        got = " and ".join(sorted(types)) or "no such field"
        raise SourceError(f"{self.name}, field {field}", expected="a date, or milliseconds", got=got, fix=fix)

    def _undated(self, field: str) -> Iterator[tuple[str, float, InvalidItem]]:
        without = {"bool": {"must_not": {"exists": {"field": field}}}}
        with self._readable(), told(f"count {self._index}"):
            count = int(self._client.count(index=self._index, body={"query": without})["count"])
        if count:
            fix = "Give them one: without it their changes are never seen."
            got = f"{count:,} documents without it"
            place = f"{self.name}, field {field}"
            yield place, -math.inf, InvalidItem(place, expected="a date in every document", got=got, fix=fix)

    def _hits(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All hits of a search as of now, in its order, which has to end in ``_doc``."""
        with self._point_in_time() as held:
            pit = {"id": held, "keep_alive": _KEEP_ALIVE}
            body: dict[str, Any] = {"size": _PAGE, "track_total_hits": False, "pit": pit, **request}
            while True:
                with told(f"read {self._index}"):
                    # A shard that does not answer is an error, and not documents that are left out.
                    hits = self._client.search(body=body, allow_partial_search_results=False)["hits"]["hits"]
                for hit in _whole_groups(hits):
                    body["search_after"] = hit["sort"]
                    yield hit
                if len(hits) < _PAGE:
                    return

    def _by_id(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        """What each id names just now, found or not."""
        try:
            with self._readable(), told(f"read {self._index}"):
                answer = self._client.mget(body={"ids": ids}, index=self._index)
        except InvalidQuery:  # an alias of several indexes, or a pattern: search finds them
            return {}
        return {one["_id"]: one for one in answer["docs"] if "found" in one}

    def _by_field(self, ids: list[str]) -> list[dict[str, Any]]:
        """Also by ``_id``: the realtime read misses documents with a routing of their own."""
        ways = [{"ids": {"values": ids}}, *self._terms(ids)]
        # Tenants may share ids, and an id may stand in several indexes behind one alias.
        body = {"query": {"bool": {"should": ways}}, "size": _MOST, "track_total_hits": False}
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

    def _named(self, hits: Sequence[dict[str, Any]], asked: list[str]) -> list[tuple[str, Mapping[str, Any]]]:
        """The documents with the id that they themselves give, of those that were asked for, in that order."""
        read = (self._document(hit) for hit in hits)
        named = [(str(one.get(self._id_field)), one) for one in read if isinstance(one, Mapping)]
        place = {one: number for number, one in enumerate(asked)}
        return sorted((pair for pair in named if pair[0] in place), key=lambda pair: place[pair[0]])

    def _document(self, hit: dict[str, Any]) -> Mapping[str, Any] | InvalidItem:
        source = hit.get("_source")
        if source is None:
            return InvalidItem(
                _place(hit),
                expected="a document with its _source",
                got="none",
                fix="Enable _source in that index, or read the items from a file.",
            )
        return source if source.get(self._id_field) is not None else {**source, self._id_field: hit["_id"]}

    @contextmanager
    def _point_in_time(self) -> Iterator[str]:
        with self._readable(), told(f"open {self._index}"):
            # From the primaries: what was read once is not read older the next time.
            opened = self._client.create_pit(index=self._index, keep_alive=_KEEP_ALIVE, preference="_primary")
            held: str = opened["pit_id"]
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


def _place(hit: dict[str, Any]) -> str:
    return f"{hit['_index']}/_doc/{hit['_id']}"


def _whole_groups(hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The hits of a full page without its last sort value; all of them when the page is the last.

    Shards number their documents alike, so that equal values may continue on the next page, which starts after them.
    (An index has fewer shards than a page has documents.)
    """
    if len(hits) < _PAGE:
        return hits
    return [hit for hit in hits if hit["sort"] != hits[-1]["sort"]] or hits
