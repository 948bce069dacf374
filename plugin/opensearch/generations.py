"""Generations in OpenSearch: one index each, described by its own mapping."""

from __future__ import annotations

import math
from typing import Any, Final

import orjson
from opensearchpy import OpenSearch

from domain.errors import Busy, ConfigurationError, InvalidQuery, NotFound, Unavailable
from domain.releases import Generation, GenerationCounts
from plugin.opensearch.bulk import send
from plugin.opensearch.client import told
from plugin.opensearch.mapping import generation_of, index_body, index_name
from plugin.opensearch.query import counts_body, tombstones_body

#: Tenants for each page of the counts.
_PAGE: Final = 1_000
#: `index.max_result_window`.
_LARGEST_PAGE: Final = 10_000
_DELETED, _CHANGED_MEANWHILE = 200, 409


class OpenSearchGenerations:
    """Creates, lists, counts, drops and purges generations (port `Generations`)."""

    def __init__(self, client: OpenSearch, prefix: str = "sidetower-") -> None:
        self._client = client
        self._prefix = prefix

    def create(self, generation: Generation) -> None:
        """Make an empty generation; making the same one again changes nothing."""
        index = index_name(self._prefix, generation.name)
        try:
            with told(f"create {index}"):
                self._client.indices.create(index=index, body=index_body(generation, index))
        except InvalidQuery as refused:
            if "resource_already_exists_exception" not in refused.got:
                raise ConfigurationError(
                    refused.place,
                    expected="fields that OpenSearch can map",
                    got=refused.got,
                    fix="Rename the field in sidetower.toml.",
                ) from refused
            self._require_same(generation)

    def drop(self, name: str) -> None:
        """Delete a generation, its write alias with it, and all it holds; dropping none changes nothing."""
        index = index_name(self._prefix, name)
        with told(f"drop {index}"):
            self._client.indices.delete(index=index, ignore_unavailable=True, expand_wildcards="none")

    def all(self) -> list[Generation]:
        """Every generation, by name."""
        with told("list generations"):
            mappings = self._client.indices.get_mapping(index=f"{self._prefix}*", filter_path="*.mappings._meta")
        found = {index: generation_of(one["mappings"]) for index, one in mappings.items()}
        # Another installation's longer prefix may begin with ours.
        ours = [one for index, one in found.items() if one is not None and index == self._prefix + one.name]
        return sorted(ours, key=lambda one: one.name)

    def counts(self, name: str, since: float = math.inf) -> list[GenerationCounts]:
        """What each tenant has, by tenant name. Sees what was refreshed."""
        read_generation(self._client, self._prefix, name)
        index = index_name(self._prefix, name)
        counts: list[GenerationCounts] = []
        after: dict[str, Any] | None = None
        while True:
            with told(f"count {index}"):
                answer = self._client.search(index=index, body=counts_body(after, _PAGE, since))
            tenants = answer["aggregations"]["tenants"]
            counts += [_counted(bucket) for bucket in tenants["buckets"]]
            after = tenants.get("after_key")
            if after is None or len(tenants["buckets"]) < _PAGE:
                return counts

    def purge(self, name: str, removed_before: float, limit: int) -> int:
        """How many tombstones written before that time were forgotten for good, oldest first; at most 10,000 at once.

        For a minute (`index.gc_deletes`) the engine still refuses older revisions of their keys.
        """
        read_generation(self._client, self._prefix, name)
        index = index_name(self._prefix, name)
        with told(f"look for old tombstones in {index}"):
            answer = self._client.search(index=index, body=tombstones_body(removed_before, min(limit, _LARGEST_PAGE)))
        lines = [_forget(hit) for hit in answer["hits"]["hits"]]
        answers = send(self._client, f"purge {index}", index, lines)
        refused = [one for one in answers if one.status not in (_DELETED, _CHANGED_MEANWHILE)]
        if refused:
            kind = Busy if refused[0].busy else Unavailable
            raise kind(
                f"tombstones of {name}",
                expected=f"all {len(lines)} forgotten",
                got=f"{len(refused)} refused: {refused[0].reason}",
                fix="Repeat; it is safe.",
            )
        return sum(one.status == _DELETED for one in answers)

    def _require_same(self, generation: Generation) -> None:
        there = read_generation(self._client, self._prefix, generation.name)
        if not there.same_make(generation):
            raise ConfigurationError(
                f"generation {generation.name}",
                expected="a name that is free, or the same fields and space",
                got=f"{there} under that name",
                fix="Create it under another name.",
            )


def read_generation(client: OpenSearch, prefix: str, name: str) -> Generation:
    """The generation of this name, from its index.

    Raises:
        NotFound: there is none, or the index is not one of ours.
    """
    index = index_name(prefix, name)
    with told(f"look up {index}"):
        mappings = client.indices.get_mapping(index=index, filter_path="*.mappings._meta", expand_wildcards="none")
    found = generation_of(mappings.get(index, {}).get("mappings", {}))
    if found is None:
        raise NotFound(
            f"generation {name}",
            expected="an index that this version of Sidetower made",
            got=f"index {index} of another origin or schema",
            fix="Create a new generation.",
        )
    return found


def _forget(hit: dict[str, Any]) -> bytes:
    """Delete this very document: a sequence number, unlike an external version, makes no index that was dropped."""
    seen = {"_id": hit["_id"], "if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return orjson.dumps({"delete": seen}) + b"\n"


def _counted(bucket: dict[str, Any]) -> GenerationCounts:
    pending, removed = bucket["pending"], bucket["removed"]["doc_count"]
    return GenerationCounts(
        tenant=bucket["key"]["tenant"],
        items=bucket["doc_count"] - removed,
        pending=pending["doc_count"],
        removed=removed,
        oldest_pending=pending["oldest"]["value"] or 0.0,
        recent=bucket["recent"]["doc_count"] if "recent" in bucket else 0,
    )
