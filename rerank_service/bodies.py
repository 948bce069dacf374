"""Bodies: what requests may hold, told to callers by OpenAPI and turned into requests of the ranking core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from domain.catalogue import Kind
from domain.errors import InvalidItem, InvalidQuery
from domain.items import ItemKey
from domain.search import MAX_LIMIT, Scope
from rerank_service.deadline import DEFAULT_SECONDS, Deadline
from rerank_service.filters import parse_filters
from rerank_service.page_tokens import MAX_CHARACTERS
from rerank_service.request import DEFAULT_WEIGHT, WINDOW, PastEvent, SearchRequest, SimilarRequest
from rerank_service.rules import Rules
from rerank_service.snapshot import kind_of

MAX_PAGE: Final = 100
MAX_QUERY_CHARACTERS: Final = 1_000
MAX_EVENTS: Final = 1_000
#: Scores are of the order of 1.
MAX_BOOST: Final = 100.0
#: As long as OpenSearch's own ids may be; a longer one is a mistake.
MAX_ID_CHARACTERS: Final = 512
#: The first second of the year 5138; a time beyond it was told in milliseconds.
_LATEST: Final = 1e11

Text = Annotated[str, Field(max_length=400)]
Group = Annotated[str, Field(min_length=1, max_length=200)]
Groups = Annotated[list[Group], Field(max_length=1_000)]


def _host_id(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("an id: text or a whole number")
    if not 1 <= len(str(value)) <= MAX_ID_CHARACTERS:
        raise ValueError(f"an id of 1 to {MAX_ID_CHARACTERS} characters")
    return value


#: An id as the host writes it. Not a union: errors of a union name its members instead of the field.
HostId = Annotated[
    Any,
    AfterValidator(_host_id),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 512}, {"type": "integer"}]}),
]


class StrictBody(BaseModel):
    """Unknown fields and numbers in quotes are told, not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EventBody(StrictBody):
    """One thing the person did."""

    kind: Text = Field(description="Kind of the item.")
    id: HostId = Field(description="The host's id of the item.")
    action: Annotated[str, Field(min_length=1, max_length=100)] = Field(description="UBI action_name: click, view, ...")
    timestamp: float = Field(ge=0, le=_LATEST, description="Seconds since 1970.")


class RankFields(TypedDict):
    """The fields of a `RankRequest`."""

    kind: str
    scope: Scope
    text: str
    user: str
    history: tuple[PastEvent, ...]
    weight: float
    deadline: Deadline


class TasteBody(StrictBody):
    """Who asks, and how much say the model has."""

    kind: Text
    user: Text = Field("", description="Who is asking; without usable history the answer says so.")
    history: list[EventBody] = Field(
        default_factory=list, max_length=MAX_EVENTS, description="Of the newest 50 items the last event is read."
    )
    audiences: Groups = Field(default_factory=list, description='Groups of the person; "*" is always among them.')
    weight: float = Field(DEFAULT_WEIGHT, ge=0, le=1, description="0: the engine's order. 1: the model's full say.")
    deadline_ms: int = Field(round(1000 * DEFAULT_SECONDS), ge=1, le=10_000)
    explain: bool = Field(False, description="Tell what each part added to each score.")

    def rank_fields(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> RankFields:
        """What the ranking core reads of it.

        Args:
            tenant: whose items.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: a kind of the history is wrong.
            NotFound: there is no such kind.
        """
        return RankFields(
            kind=kind_of(self.kind, kinds).name,
            scope=Scope(tenant, frozenset(self.audiences)),
            text=self._asked(),
            user=self.user,
            history=past_events(self.history, kinds),
            weight=self.weight,
            deadline=Deadline(self.deadline_ms / 1000, arrived),
        )

    def _asked(self) -> str:
        return ""


class RankBody(TasteBody):
    """What to rank by, wherever the candidates come from."""

    query: str = Field("", max_length=MAX_QUERY_CHARACTERS, description="What the person typed.")

    def _asked(self) -> str:
        return self.query.strip()


class BoostBody(StrictBody):
    """An item that is worth more, or less, than its score."""

    id: HostId = Field(description="The host's id of the item.")
    add: float = Field(ge=-MAX_BOOST, le=MAX_BOOST, description="Added to its score where the model ranks.")


class RulesBody(StrictBody):
    """What the host lays on top."""

    pins: list[HostId] = Field(
        default_factory=list, max_length=MAX_PAGE, description="Stand first, in this order, if they are candidates."
    )
    hides: list[HostId] = Field(default_factory=list, max_length=1_000, description="Are left out.")
    boosts: list[BoostBody] = Field(default_factory=list, max_length=1_000, description="One for an item.")

    def rules(self) -> Rules:
        """What the host lays on top.

        Raises:
            InvalidQuery: an id is pinned or boosted twice.
        """
        boosted = [one.id for one in self.boosts]
        for place, ids in (("pins", self.pins), ("boosts", boosted)):
            if len({str(id_) for id_ in ids}) < len(ids):
                fix = "Send each id once."
                raise InvalidQuery(f"body.{place}", expected="every id once", got="an id twice", fix=fix)
        return Rules(
            tuple(str(id_) for id_ in self.pins),
            frozenset(str(id_) for id_ in self.hides),
            {str(one.id): one.add for one in self.boosts},
        )


class SearchBody(RankBody, RulesBody):
    """One search; without a query, everything that passes the filters."""

    filters: list[dict[str, Any]] = Field(default_factory=list, description="All must hold.")
    limit: int = Field(10, ge=1, le=MAX_PAGE)
    offset: int = Field(0, ge=0, lt=MAX_LIMIT)
    page_token: str = Field("", max_length=MAX_CHARACTERS, description="Of the first page: the same ranking goes on.")

    def request(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> SearchRequest:
        """The search as the ranking core takes it.

        Args:
            tenant: whose items.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: a filter or a kind of the history is wrong, or the page leaves the window.
            NotFound: there is no such kind.
        """
        kind = kind_of(self.kind, kinds)
        reach = MAX_LIMIT if self.page_token else WINDOW
        if self.offset + self.limit > reach:
            among = "that are found" if self.page_token else "that are ranked"
            fix = "Narrow the search with filters" + (
                " instead of paging on." if self.page_token else ", or send the page_token of the first page."
            )
            raise InvalidQuery(
                "body.offset",
                expected=f"offset + limit of at most {reach}, the candidates {among}",
                got=f"{self.offset} + {self.limit}",
                fix=fix,
            )
        filters = parse_filters(self.filters, kind)
        fields = self.rank_fields(tenant, kinds, arrived)
        return SearchRequest(**fields, rules=self.rules(), explain=self.explain, filters=filters)


class SimilarQuery(BaseModel):
    """Query parameters of similar items."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=MAX_PAGE)
    audiences: Groups = Field(default_factory=list, description="One parameter for each group.")


class RevisionQuery(BaseModel):
    """Query parameters of a change."""

    model_config = ConfigDict(extra="forbid")

    revision: str | None = Field(
        None, description="A growing whole number, or an ISO 8601 date; overrides the document's own."
    )


class SimilarBody(StrictBody):
    """Items like one item, for one person where one is told."""

    filters: list[dict[str, Any]] = Field(default_factory=list, description="All must hold.")
    limit: int = Field(10, ge=1, le=MAX_PAGE)
    audiences: Groups = Field(default_factory=list, description='Groups of the person; "*" is always among them.')
    user: Text = Field("", description="Who is asking.")
    history: list[EventBody] = Field(
        default_factory=list, max_length=MAX_EVENTS, description="Of the newest 50 items the last event is read."
    )
    weight: float = Field(DEFAULT_WEIGHT, ge=0, le=1, description="0: nearest first. 1: the person's full say.")
    deadline_ms: int = Field(round(1000 * DEFAULT_SECONDS), ge=1, le=10_000)
    exclude_seen: bool = Field(False, description="Leave out what the person acted upon.")
    diversity: float = Field(0.0, ge=0, le=1, description="1: each as unlike the ones before it as can be.")

    def request(self, key: ItemKey, kinds: Mapping[str, Kind], arrived: float) -> SimilarRequest:
        """What is wanted, as the ranking core takes it.

        Args:
            key: of the item whose like is wanted.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: a filter or a kind of the history is wrong.
        """
        return SimilarRequest(
            kind=key.kind,
            scope=Scope(key.tenant, frozenset(self.audiences)),
            user=self.user,
            history=past_events(self.history, kinds),
            weight=self.weight,
            deadline=Deadline(self.deadline_ms / 1000, arrived),
            id=key.id,
            filters=parse_filters(self.filters, kinds[key.kind]),
            limit=self.limit,
            exclude_seen=self.exclude_seen,
            diversity=self.diversity,
        )


def past_events(told: Sequence[EventBody], kinds: Mapping[str, Kind], holder: str = "body") -> tuple[PastEvent, ...]:
    """The history as the ranking core takes it.

    Args:
        told: the events.
        kinds: the kinds that are served.
        holder: place of what the history stands in.

    Raises:
        InvalidQuery: an event is of a kind that is not served.
    """
    for index, event in enumerate(told):
        if event.kind not in kinds:
            known = ", ".join(sorted(kinds))
            place = f"{holder}.history[{index}].kind"
            raise InvalidQuery(place, expected=f"one of: {known}", got=repr(event.kind), fix="Name such a kind.")
    return tuple(PastEvent(one.kind, str(one.id), one.action, one.timestamp) for one in told)


def key_of(tenant: str, kind: Kind, id_: str) -> ItemKey:
    """The key of an item that a path names.

    Raises:
        InvalidQuery: the id cannot be one.
    """
    try:
        return ItemKey(tenant, kind.name, id_)
    except InvalidItem as error:
        raise InvalidQuery(f"path, {error.place}", expected=error.expected, got=error.got, fix=error.fix) from error
