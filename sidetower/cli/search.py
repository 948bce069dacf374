"""``sidetower search``: ask as the service would answer."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from domain.errors import InvalidItem, InvalidQuery
from domain.items import ItemKey
from sidetower.cli import output
from sidetower.config import DEFAULT_FILE, load_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.catalogue import Kind
    from domain.search import Hit
    from rerank_service.request import Answer

FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="FIELD=VALUE, FIELD!=VALUE, FIELD<=NUMBER, FIELD>=NUMBER; all must hold."),
]
AudienceOption = Annotated[list[str] | None, typer.Option("--audience", "-a", help="A group the person belongs to.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many to show.")]
KindOption = Annotated[str, typer.Option(help="Which kind, where there are several.")]

#: Seconds that one command may take over ranking; it loads a bundle, which a service has done before.
PATIENCE: Final = 30.0
_FILTER = re.compile(r"(?P<field>[^=<>!]+)(?P<sign>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)
_BOUNDS = {"<=": "lte", ">=": "gte", "<": "lt", ">": "gt"}


def search(
    query: Annotated[str, typer.Argument(help="The text to search for.")],
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    audience: AudienceOption = None,
    filters: FilterOption = None,
    limit: LimitOption = 10,
    as_json: output.JsonFlag = False,
) -> None:
    """Search one kind for one tenant; best first."""
    from domain.search import Scope
    from rerank_service.deadline import Deadline
    from rerank_service.filters import parse_filters
    from rerank_service.request import SearchRequest
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    request = SearchRequest(
        chosen.name,
        Scope(asking_tenant(tenant), frozenset(audience or ())),
        text=query,
        filters=parse_filters([written_filter(one) for one in filters or ()], chosen),
        deadline=Deadline(PATIENCE),
    )
    answer = Parts(settings).searches.search(request)
    tell(answer, chosen, limit, as_json=as_json)


def asking_tenant(tenant: str) -> str:
    """The tenant that asks.

    Raises:
        InvalidQuery: none was named, or one that cannot be.
    """
    if not tenant:
        raise InvalidQuery("--tenant", expected="who asks", got="nothing", fix="Add --tenant NAME.")
    check_tenant(tenant)
    return tenant


def check_tenant(tenant: str) -> None:
    """Refuse a name that no tenant can have.

    Raises:
        InvalidQuery: it is too long, or not printable.
    """
    try:
        ItemKey(tenant, "any", "any")
    except InvalidItem as error:
        fix = "Add --tenant NAME, as it is named at the host."
        raise InvalidQuery("--tenant", expected=error.expected, got=error.got, fix=fix) from error


def written_filter(text: str) -> dict[str, Any]:
    """``price<=9000`` as a filter of the HTTP API.

    Raises:
        InvalidQuery: it is not of that form.
    """
    found = _FILTER.fullmatch(text)
    if found is None:
        fix = "Write it as --filter make=BMW or --filter 'price<=9000'."
        raise InvalidQuery("--filter", expected="FIELD, a sign and a value", got=repr(text), fix=fix)
    name, sign, value = found["field"].strip(), found["sign"], found["value"].strip()
    if sign in _BOUNDS:
        return {"range": {name: {_BOUNDS[sign]: value}}}
    term = {"term": {name: value}}
    return term if sign == "=" else {"not": term}


def tell(answer: Answer, kind: Kind, limit: int, *, as_json: bool) -> None:
    """The first hits as a table or JSON."""
    hits = answer.hits[:limit]
    if as_json:
        documents = [_document(hit) for hit in hits]
        degraded = answer.degraded.value if answer.degraded else None
        output.print_json({"hits": documents, "ranked_by": answer.ranked_by or None, "degraded": degraded})
        return
    if not hits:
        output.say("Nothing found.")
    else:
        output.print_table(["", "id", kind.title, *_extra(kind), "score", "engine rank"], _rows(hits, kind))
    if answer.degraded:
        output.warn(f"In the engine's order: {answer.degraded.value}.")


def _document(hit: Hit) -> dict[str, Any]:
    key = hit.item.key
    return {"id": key.id, "score": hit.score, "engine_rank": hit.engine_rank, "fields": hit.item.fields()}


def _extra(kind: Kind) -> list[str]:
    """A few short fields that tell items apart."""
    return [name for name in (*kind.category, *kind.number) if name not in kind.text][:4]


def _rows(hits: Sequence[Hit], kind: Kind) -> list[list[object]]:
    rows: list[list[object]] = []
    for position, hit in enumerate(hits, start=1):
        fields = hit.item.fields()
        extra = [fields.get(name, "") for name in _extra(kind)]
        shown = [", ".join(map(str, value)) if isinstance(value, list) else value for value in extra]
        title = hit.item.texts.get(kind.title, "")
        rows.append([position, hit.item.key.id, title, *shown, hit.score, hit.engine_rank])
    return rows
