"""What is set once for a wrapped client, and what each search may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict
from urllib.parse import urlsplit

#: Candidates that the service takes at most.
MAX_WINDOW: Final = 1_000
MAX_DEADLINE_MS: Final = 10_000


class Event(TypedDict):
    """One thing the person did."""

    #: Kind of the item.
    kind: str
    #: The host's id of the item.
    id: str | int
    #: In the words of UBI: ``view``, ``click``, ``purchase``, ...
    action: str
    #: Seconds since 1970.
    timestamp: float


class Options(TypedDict, total=False):
    """What one search says of the person who asks; everything may be left out."""

    #: The person's name at the host.
    user: str
    #: What the person did, in any order; the newest 50 are read.
    history: Sequence[Event]
    #: What the person typed; without it the text is looked for in the body's query.
    query: str
    #: Groups of the person.
    audiences: Sequence[str]
    #: 0 = the engine's order, 1 = the model's full say.
    weight: float
    #: Milliseconds that ranking may take, beside the engine's own time.
    deadline_ms: int
    #: Whose items these are, where one client serves several tenants.
    tenant: str
    #: Kind of the items.
    kind: str
    #: Tell in each hit what each part added to its score.
    explain: bool


@dataclass(frozen=True)
class Settings:
    """What `wrap` was told."""

    #: Address of the Sidetower service.
    url: str
    tenant: str
    kind: str
    #: Hits of the engine that are ranked.
    window: int = 200
    #: Milliseconds that ranking may take, beside the engine's own time.
    deadline_ms: int = 200
    #: Field of the documents that holds the item's id, as ``object.field``; empty = OpenSearch's ``_id``.
    id_field: str = ""
    #: Where reranks are sent.
    endpoint: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _wrong("url", "an address like http://127.0.0.1:8080", self.url)
        for name in ("tenant", "kind"):
            if not getattr(self, name):
                raise _wrong(name, "the name it has in sidetower.toml and in `sidetower index`", "nothing")
        for name, most in (("window", MAX_WINDOW), ("deadline_ms", MAX_DEADLINE_MS)):
            if not 1 <= getattr(self, name) <= most:
                raise _wrong(name, f"1 to {most}", str(getattr(self, name)))
        object.__setattr__(self, "endpoint", self.url.rstrip("/") + "/v1/rerank")


def _wrong(name: str, expected: str, got: str) -> ValueError:
    return ValueError(f"wrap({name}=...): expected {expected}, got {got}")
