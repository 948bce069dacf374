"""What a search asks for, checked and free of HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.search import Filter, Hit, Scope
from rerank_service.deadline import Deadline
from rerank_service.degraded import Degraded
from rerank_service.rules import NO_RULES, Rules

#: Candidates that are ranked, whatever the page size.
WINDOW: Final = 200
DEFAULT_WEIGHT: Final = 1.0
#: `Answer.ranked_by` where the engine's order is the right one and nothing failed.
ENGINE: Final = "engine"
#: And where nobody is known and what most people like was told.
POPULAR: Final = "popular"


class PastEvent(NamedTuple):
    """One thing the person did, as the caller tells it."""

    kind: str
    #: The host's id of the item.
    id: str
    #: ``click``, ``view``, ``purchase``, ... (UBI ``action_name``).
    action: str
    #: Seconds since 1970.
    timestamp: float


@dataclass(frozen=True, slots=True)
class RankRequest:
    """What to rank by, wherever the candidates come from."""

    kind: str
    scope: Scope
    #: Query text; empty without.
    text: str = ""
    #: The person's name at the host; empty for nobody in particular.
    user: str = ""
    history: tuple[PastEvent, ...] = ()
    #: 0 = the engine's order, 1 = the model's full say.
    weight: float = DEFAULT_WEIGHT
    deadline: Deadline = field(default_factory=Deadline)
    #: What the host lays on top.
    rules: Rules = NO_RULES
    #: Tell what each group of inputs contributed.
    explain: bool = False

    @property
    def wants_history(self) -> bool:
        """Whether a person is meant, with or without anything known of them."""
        return self.weight > 0 and bool(self.history or self.user)


@dataclass(frozen=True, slots=True)
class SearchRequest(RankRequest):
    """One search of one person; without text it finds everything that passes the filters."""

    filters: tuple[Filter, ...] = ()


class Offered(NamedTuple):
    """A candidate that the caller's own engine found."""

    #: The host's id; it may be one that no index of ours holds.
    id: str
    #: The caller's score; comparable within one request only.
    score: float


@dataclass(frozen=True, slots=True)
class RerankRequest(RankRequest):
    """The caller's candidates, in the order of the caller's engine, to be ranked for one person."""

    offered: tuple[Offered, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentsRequest:
    """Texts to be ranked by how well they answer a query."""

    #: Whose bundle reads them.
    kind: str
    #: Picks the tenant's own release; empty for the default one.
    tenant: str
    query: str
    #: The texts, in the caller's order.
    documents: tuple[str, ...]
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, slots=True)
class SimilarRequest(RankRequest):
    """Items like one item."""

    #: Id of the item whose like is wanted.
    id: str = ""
    filters: tuple[Filter, ...] = ()
    limit: int = 10
    #: Leave out what the person acted upon.
    exclude_seen: bool = False
    #: 0 = by score alone, 1 = each as unlike the ones before it as can be.
    diversity: float = 0.0


@dataclass(frozen=True, slots=True)
class RecommendRequest(RankRequest):
    """What one person may want, without a query."""

    filters: tuple[Filter, ...] = ()
    limit: int = 10
    exclude_seen: bool = True
    diversity: float = 0.0


@dataclass(frozen=True, slots=True)
class SuggestRequest(RankRequest):
    """Items that answer a text, or none."""

    filters: tuple[Filter, ...] = ()
    limit: int = 3
    #: Probability that is asked for at least; the bundle's own threshold is never undercut.
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole window in its final order; a page is a slice of it."""

    hits: tuple[Hit, ...]
    #: Bundle that ranked, `ENGINE` where there was nothing to rank by, empty when degraded.
    ranked_by: str = ""
    #: Why the engine's order is answered although the model was wanted.
    degraded: Degraded | None = None
    #: Events of the history that the ranking read.
    history_used: int = 0
    #: Candidates that were ranked, those that are hidden included.
    found: int = 0
