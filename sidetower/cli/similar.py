"""``sidetower similar``: items like one item."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sidetower.cli import output
from sidetower.cli.search import (
    AudienceOption,
    FilterOption,
    KindOption,
    LimitOption,
    asking_tenant,
    tell,
    written_filter,
)
from sidetower.config import DEFAULT_FILE, load_config


def similar(
    id: Annotated[str, typer.Argument(help="The host's id of the item.")],  # noqa: A002 - the word of the domain
    config: output.ConfigPath = DEFAULT_FILE,
    kind: KindOption = "",
    tenant: output.TenantOption = "",
    audience: AudienceOption = None,
    filters: FilterOption = None,
    limit: LimitOption = 10,
    as_json: output.JsonFlag = False,
) -> None:
    """Find the items most like one item."""
    from domain.items import ItemKey
    from domain.search import Scope
    from rerank_service.filters import parse_filters
    from rerank_service.request import SimilarRequest
    from sidetower.parts import Parts

    settings = load_config(config, os.environ)
    chosen = settings.kind(kind)
    key = ItemKey(asking_tenant(tenant), chosen.name, id)
    request = SimilarRequest(
        chosen.name,
        Scope(key.tenant, frozenset(audience or ())),
        id=key.id,
        filters=parse_filters([written_filter(one) for one in filters or ()], chosen),
        limit=limit,
    )
    tell(Parts(settings).searches.similar(request), chosen, limit, as_json=as_json)
