"""What the host's index is asked for documents by a date of theirs."""

from __future__ import annotations

import math
from typing import Any, Final

#: Field types that hold a date, and those that can hold its milliseconds.
DATES: Final = {"date", "date_nanos"}
NUMBERS: Final = {"long", "unsigned_long", "double", "scaled_float"}


def changed_body(field: str, since: float, *, dates: bool) -> dict[str, Any]:
    """Query and sort of the documents whose date is at or after `since`, oldest first.

    Args:
        field: name of the date.
        since: milliseconds since 1970; minus infinity takes every document that has one.
        dates: whether the field is mapped as a date, whatever its format, or as a number.
    """
    bounds: dict[str, Any] = {"gte": math.floor(since) if math.isfinite(since) else None}
    # Of several dates the latest counts; an index behind the same alias may not have the field at all.
    order: dict[str, Any] = {"order": "asc", "mode": "max", "unmapped_type": "date" if dates else "long"}
    if dates:
        bounds["format"] = "epoch_millis"
        order["numeric_type"] = "date"
    query = {"range": {field: bounds}} if math.isfinite(since) else {"exists": {"field": field}}
    # `_doc` and not `_shard_doc`, which 2.19 refuses here.
    return {"query": query, "sort": [{field: order}, {"_doc": "asc"}]}
