"""Generations whose space is another than when they were filled, as if they were dropped and made anew meanwhile."""

from __future__ import annotations

from typing import Any

from plugin.embedded.database import Database


def respace_embedded(database: Database, generation: str, space: str) -> None:
    """From now on the embedded engine says that the generation is of this space; its documents stay as they are."""
    with database.writing() as connection:
        changed = "UPDATE generation SET record = json_set(record, '$.space', ?) WHERE name = ?"
        connection.execute(changed, (space, generation))


def respace_opensearch(client: Any, prefix: str, generation: str, space: str) -> None:
    """From now on OpenSearch says that the generation is of this space; its documents stay as they are."""
    index = prefix + generation
    meta = client.indices.get_mapping(index=index)[index]["mappings"]["_meta"]
    meta["sidetower"]["space"] = space
    client.indices.put_mapping(index=index, body={"_meta": meta})
