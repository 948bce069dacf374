"""Bodies of /v1/rerank: our own shape, and the one of Cohere's clients, told apart by `documents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema

from domain.catalogue import Kind
from domain.errors import InvalidQuery
from domain.search import RRF_CONSTANT, Scope
from rerank_service.bodies import (
    MAX_EVENTS,
    MAX_QUERY_CHARACTERS,
    EventBody,
    Groups,
    HostId,
    RankBody,
    RulesBody,
    StrictBody,
    Text,
    past_events,
)
from rerank_service.deadline import Deadline
from rerank_service.request import DEFAULT_WEIGHT, DocumentsRequest, Offered, RerankRequest
from rerank_service.snapshot import kind_of

MAX_CANDIDATES: Final = 1_000
#: Beyond any engine's score, and far enough from overflow to subtract two of them.
MAX_SCORE: Final = 1e100
#: Characters of a document that are read.
DOCUMENT_CHARACTERS: Final = 4_000
#: Texts are embedded on the way, so this shape's own deadline is longer; within a client's time-out of a second.
DOCUMENTS_DEADLINE_MS: Final = 800


class CandidateBody(StrictBody):
    """One hit of the caller's engine."""

    id: HostId = Field(description="The host's id of the item.")
    score: float | None = Field(
        None, ge=-MAX_SCORE, le=MAX_SCORE, description="The engine's score: of every candidate, or of none."
    )


class RerankBody(RankBody, RulesBody):
    """Candidates of the caller's own engine, to be ranked for one person."""

    candidates: list[CandidateBody] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="In the engine's order, each id once."
    )
    limit: int | None = Field(None, ge=1, le=MAX_CANDIDATES, description="Results told; all without it.")

    def request(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> RerankRequest:
        """The rerank as the ranking core takes it.

        Args:
            tenant: whose items.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: an id comes twice, some candidates have a score and others none, or a kind of the history is
                wrong.
            NotFound: there is no such kind.
        """
        offered = _offered([one.id for one in self.candidates], self._scores(), "body.candidates")
        fields = self.rank_fields(tenant, kinds, arrived)
        return RerankRequest(**fields, rules=self.rules(), explain=self.explain, offered=offered)

    def _scores(self) -> list[float]:
        scores = [one.score for one in self.candidates if one.score is not None]
        if not scores:
            return rank_scores(len(self.candidates))
        if len(scores) < len(self.candidates):
            index = next(index for index, one in enumerate(self.candidates) if one.score is None)
            raise InvalidQuery(
                f"body.candidates[{index}].score",
                expected="a score, because other candidates have one",
                got="nothing",
                fix="Send the score of every candidate, or of none: then their ranks count.",
            )
        return scores


def _document(value: Any) -> str | dict[str, Any]:
    if not isinstance(value, str | dict):
        raise ValueError("text, or a JSON object of texts")
    return value


Document = Annotated[
    Any, AfterValidator(_document), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
]


class PersonBody(StrictBody):
    """Who asks, and for what, in one object: OpenSearch's `ml_inference` hands on what a search says of a person whole,
    and fails for each single key that it lacks.
    """

    query: str = Field("", max_length=10 * MAX_QUERY_CHARACTERS)
    user: Text = ""
    history: list[EventBody] = Field(default_factory=list, max_length=MAX_EVENTS)
    audiences: Groups = Field(default_factory=list)
    weight: float = Field(DEFAULT_WEIGHT, ge=0, le=1)


class DocumentsBody(PersonBody):
    """Cohere's shape: texts to be ranked for a query, and optional keys of ours to rank items for a person."""

    query: str = Field(max_length=10 * MAX_QUERY_CHARACTERS, description="The first 1,000 characters are read.")
    documents: list[Document] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="Texts, or objects with texts, in the engine's order."
    )
    top_n: int | None = Field(None, ge=1, description="Results told; all without it.")
    return_documents: bool | None = Field(None, description="Tell each document again.")
    rank_fields: list[Text] | None = Field(None, description="Fields of object documents that are read.")
    model: Text | None = Field(None, description="Not read: the release names the bundle.")
    max_tokens_per_doc: int | None = Field(None, description="Not read: the text encoder has its own bound.")
    max_chunks_per_doc: int | None = Field(None, description="Not read.")
    priority: int | None = Field(None, description="Not read.")

    kind: Text = Field("", description="Whose bundle ranks; not needed where only one kind is served.")
    item_ids: list[HostId] | None = Field(
        None, description="The id of each document's item: ranked as `candidates` are, for a person. Needs the tenant."
    )
    person: PersonBody | None = Field(None, description="In place of query, user, history, audiences and weight.")
    deadline_ms: int = Field(DOCUMENTS_DEADLINE_MS, ge=1, le=10_000)

    def documents_request(self, tenant: str, kinds: Mapping[str, Kind], arrived: float) -> DocumentsRequest:
        """The texts as the ranking core takes them; only without `item_ids`.

        Args:
            tenant: picks the release; empty for the default one.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: there are several kinds and none is named, or a person is named for texts that are no items.
            NotFound: there is no such kind.
        """
        if told := [*self._told_of_the_person(), *(["person"] if self.person else [])]:
            raise InvalidQuery(
                f"body.{told[0]}",
                expected="item_ids beside it: only items are ranked for a person",
                got="documents alone",
                fix="Send item_ids, one for each document, or leave it out.",
            )
        texts = tuple(document_text(one, self.rank_fields) for one in self.documents)
        return DocumentsRequest(self._kind(kinds), tenant, _text(self.query), texts, self._deadline(arrived))

    def items_request(
        self, item_ids: Sequence[str | int], tenant: str, kinds: Mapping[str, Kind], arrived: float
    ) -> RerankRequest:
        """The items of the documents as the ranking core takes them.

        Args:
            item_ids: one for each document.
            tenant: whose items.
            kinds: the kinds that are served.
            arrived: `time.monotonic()` when the request came.

        Raises:
            InvalidQuery: there is not one id for each document, an id comes twice, a kind is wrong, or the person is
                told twice.
            NotFound: there is no such kind.
        """
        if len(item_ids) != len(self.documents):
            raise InvalidQuery(
                "body.item_ids",
                expected=f"one id for each document: {len(self.documents)}",
                got=str(len(item_ids)),
                fix="Send both in the same order.",
            )
        asked = self._asked()
        return RerankRequest(
            kind=self._kind(kinds),
            scope=Scope(tenant, frozenset(asked.audiences)),
            text=_text(asked.query),
            user=asked.user,
            history=past_events(asked.history, kinds, "body" if asked is self else "body.person"),
            weight=asked.weight,
            deadline=self._deadline(arrived),
            offered=_offered(item_ids, rank_scores(len(item_ids)), "body.item_ids"),
        )

    def _kind(self, kinds: Mapping[str, Kind]) -> str:
        if self.kind:
            return kind_of(self.kind, kinds).name
        if len(kinds) > 1:
            known = ", ".join(sorted(kinds))
            raise InvalidQuery("body.kind", expected=f"one of: {known}", got="nothing", fix="Add the key kind.")
        return next(iter(kinds))

    def _asked(self) -> PersonBody:
        if self.person is None:
            return self
        if told := [*self._told_of_the_person(), *(["query"] if self.query.strip() else [])]:
            expected = '""' if told[0] == "query" else "nothing"
            fix = "Say in person what is said of the person."
            raise InvalidQuery(f"body.{told[0]}", expected=f"{expected} beside person", got="both", fix=fix)
        return self.person

    def _told_of_the_person(self) -> list[str]:
        told = {"user": self.user, "history": self.history, "audiences": self.audiences}
        told["weight"] = "weight" if "weight" in self.model_fields_set else ""
        return [name for name, value in told.items() if value]

    def _deadline(self, arrived: float) -> Deadline:
        return Deadline(self.deadline_ms / 1000, arrived)


def _text(query: str) -> str:
    return query.strip()[:MAX_QUERY_CHARACTERS]


def _shape(body: Any) -> Literal["{documents}", "{candidates}"]:
    return "{documents}" if isinstance(body, dict) and "documents" in body else "{candidates}"


#: Either shape. Errors name the tag as a step of the place; the braces say that no request holds it.
Shape = Annotated[
    Annotated[RerankBody, Tag("{candidates}")] | Annotated[DocumentsBody, Tag("{documents}")], Discriminator(_shape)
]


def rank_scores(count: int) -> list[float]:
    """Scores for an order without any: 1 / (60 + rank), as a fused search of ours scores what one leg found."""
    return [1 / (RRF_CONSTANT + rank) for rank in range(1, count + 1)]


def document_text(document: str | Mapping[str, Any], fields: Sequence[str] | None = None) -> str:
    """What is read of a document: the text, or those of an object's fields, cut to `DOCUMENT_CHARACTERS`.

    Args:
        document: as the caller sent it.
        fields: of an object; without them its `text`, else all that is text or number.
    """
    if isinstance(document, str):
        return document[:DOCUMENT_CHARACTERS]
    names = fields or (["text"] if isinstance(document.get("text"), str) else list(document))
    values = [document.get(name) for name in names]
    texts = [str(value) for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)]
    return "\n".join(texts)[:DOCUMENT_CHARACTERS]


def _offered(ids: Sequence[str | int], scores: Sequence[float], place: str) -> tuple[Offered, ...]:
    seen: set[str] = set()
    for index, id_ in enumerate(ids):
        if str(id_) in seen:
            fix = "Send every candidate once."
            raise InvalidQuery(f"{place}[{index}]", expected="every id once", got=f"{id_!r} again", fix=fix)
        seen.add(str(id_))
    return tuple(Offered(str(id_), score) for id_, score in zip(ids, scores, strict=True))
