"""Bodies of recommendations and suggestions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from domain.catalogue import Kind
from domain.search import Scope
from rerank_service.bodies import MAX_PAGE, Groups, RulesBody, StrictBody, TasteBody, Text
from rerank_service.deadline import DEFAULT_SECONDS, Deadline
from rerank_service.filters import parse_filters
from rerank_service.request import RecommendRequest, SuggestRequest
from rerank_service.snapshot import kind_of

#: More than a few suggestions are a search.
MAX_SUGGESTIONS = 20
#: A question or a whole message; its first 1,000 characters are read.
MAX_TEXT_CHARACTERS = 10_000
READ_CHARACTERS = 1_000


class RecommendBody(TasteBody, RulesBody):
    """What one person may want."""

    filters: list[dict[str, Any]] = Field(default_factory=list, description="All must hold.")
    limit: int = Field(10, ge=1, le=MAX_PAGE)
    exclude_seen: bool = Field(True, description="Leave out what the person acted upon.")
    diversity: float = Field(0.0, ge=0, le=1, description="1: each as unlike the ones before it as can be.")

    def request(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> RecommendRequest:
        """What is wanted, as the ranking core takes it.

        Args:
            tenant: whose items.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: a filter, a rule or a kind of the history is wrong.
            NotFound: there is no such kind.
        """
        return RecommendRequest(
            **self.rank_fields(tenant, kinds, arrived),
            rules=self.rules(),
            explain=self.explain,
            filters=parse_filters(self.filters, kind_of(self.kind, kinds)),
            limit=self.limit,
            exclude_seen=self.exclude_seen,
            diversity=self.diversity,
        )


class SuggestBody(StrictBody):
    """A text that items may answer."""

    kind: Text
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, description="The first 1,000 characters are read.")
    filters: list[dict[str, Any]] = Field(default_factory=list, description="All must hold.")
    limit: int = Field(3, ge=1, le=MAX_SUGGESTIONS)
    audiences: Groups = Field(default_factory=list, description='Groups of the person; "*" is always among them.')
    threshold: float = Field(0.0, ge=0, le=1, description="Asks for more than the bundle's own threshold, never less.")
    deadline_ms: int = Field(round(1000 * DEFAULT_SECONDS), ge=1, le=10_000)

    def request(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> SuggestRequest:
        """What is wanted, as the ranking core takes it; arguments and errors as above."""
        kind = kind_of(self.kind, kinds)
        return SuggestRequest(
            kind=kind.name,
            scope=Scope(tenant, frozenset(self.audiences)),
            text=self.text[:READ_CHARACTERS].strip(),
            deadline=Deadline(self.deadline_ms / 1000, arrived),
            filters=parse_filters(self.filters, kind),
            limit=self.limit,
            threshold=self.threshold,
        )
