"""Targets: which indexes of the host are ranked, and as what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Hits of the engine that are ranked where the configuration does not say.
DEFAULT_WINDOW: Final = 200
#: Candidates that are ranked at most.
MAX_WINDOW: Final = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """What the documents of an index are to Sidetower."""

    kind: str
    #: Whose items they are where a search does not say; empty = it has to.
    tenant: str = ""
    #: Field of the documents that holds the item's id, as ``object.field``; empty = OpenSearch's ``_id``.
    id_field: str = ""
    #: Hits of the engine that are ranked.
    window: int = DEFAULT_WINDOW


def target_of(expression: str, targets: Mapping[str, Target]) -> Target | None:
    """The one target of what a search names, or None when it names something else as well.

    Args:
        expression: names and patterns with commas between them; empty for every index, which is ``_all``.
        targets: by name of an index or alias, or by a pattern with ``*``. The first that fits counts.
    """
    found = {_one(name, targets) for name in (expression or "_all").split(",")}
    return found.pop() if len(found) == 1 else None


def _one(name: str, targets: Mapping[str, Target]) -> Target | None:
    if name in targets:
        return targets[name]
    for pattern, target in targets.items():
        if "*" in pattern and re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name):
            return target
    return None
