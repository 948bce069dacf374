"""What was written into a generation's index since a mark, by its sequence numbers."""

from __future__ import annotations

from typing import Any, Final

from opensearchpy import OpenSearch

from domain.errors import Unavailable
from domain.items import ItemKey
from domain.versions import Changes

#: More of them at once are "anything may have changed"; `index.max_result_window`.
MAX_CHANGES: Final = 10_000

_STATED: Final = "indices.*.uuid,indices.*.shards.*.seq_no"


def read_changes(client: OpenSearch, index: str, kind: str, after: str) -> Changes:
    """The items written after this mark, which is the index's uuid and a sequence number.

    Every copy of the shard holds all operations up to the global checkpoint. So what is read after a refresh lacks
    nothing up to the checkpoint taken before it; operations above it, of which some may be acknowledged while others
    below them are still under way, are read now and again the next time.
    """
    uuid, checkpoint, highest = _checkpoint(client, index)
    mark = f"{uuid}:{checkpoint}"
    known, _, last = after.rpartition(":")
    if known != uuid or int(last) > checkpoint:
        return Changes(mark, None)
    if int(last) == checkpoint == highest:
        return Changes(mark, frozenset())
    client.indices.refresh(index=index)
    body: dict[str, Any] = {
        "query": {"range": {"_seq_no": {"gt": int(last)}}},
        "size": MAX_CHANGES,
        "_source": False,
        "docvalue_fields": ["tenant", "id"],
        "track_total_hits": False,
    }
    hits = client.search(index=index, body=body)["hits"]["hits"]
    if len(hits) == MAX_CHANGES:
        return Changes(mark, None)
    fields = [hit["fields"] for hit in hits]
    return Changes(mark, frozenset(ItemKey(one["tenant"][0], kind, one["id"][0]) for one in fields))


def _checkpoint(client: OpenSearch, index: str) -> tuple[str, int, int]:
    """The index's uuid, the sequence number up to which every copy holds everything, and the highest one given."""
    stated = client.indices.stats(index=index, metric="docs", params={"level": "shards", "filter_path": _STATED})
    for one in stated.get("indices", {}).values():
        # One shard; of its copies the primary knows first.
        found = [copy["seq_no"] for copy in one.get("shards", {}).get("0", ())]
        if found:
            known = max(copy["global_checkpoint"] for copy in found)
            return str(one["uuid"]), known, max(copy["max_seq_no"] for copy in found)
    fix = "See the health of the cluster."
    raise Unavailable(f"index {index}", expected="a shard that is there", got="none", fix=fix)
