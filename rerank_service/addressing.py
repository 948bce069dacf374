"""Addressing: whose request it is, told by a header, and which item, told by the path."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Header, Request

from domain.errors import InvalidItem, InvalidQuery
from domain.items import ItemKey

TENANT_HEADER: Final = "X-Sidetower-Tenant"


async def _tenant(
    request: Request,
    told: Annotated[
        str | None, Header(alias=TENANT_HEADER, description="Whose items: 1 to 64 bytes of printable UTF-8.")
    ] = None,
) -> str:
    values = request.headers.getlist(TENANT_HEADER)
    if len(values) != 1 or not told:
        got = f"{len(values)} of them" if len(values) > 1 else "none"
        fix = "Let the host's backend set it, never the person's browser."
        raise InvalidQuery(f"header {TENANT_HEADER}", expected="the tenant, once", got=got, fix=fix)
    try:
        # HTTP hands headers over as latin-1; tenants are UTF-8.
        tenant = told.encode("latin-1").decode("utf-8")
        return ItemKey(tenant, "kind", "id").tenant
    except (UnicodeError, InvalidItem) as error:
        raise InvalidQuery(
            f"header {TENANT_HEADER}",
            expected="1 to 64 bytes of printable UTF-8",
            got=repr(told)[:120],
            fix="Send the tenant as it is configured at the host.",
        ) from error


async def _path_in_utf8(request: Request) -> None:
    raw: bytes = request.scope.get("raw_path") or b""
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidQuery(
            "path", expected="percent-encoded UTF-8", got=repr(raw)[:120], fix="Encode the id as UTF-8."
        ) from error


#: The tenant of the request; 422 without one.
Tenant = Annotated[str, Depends(_tenant)]
#: Refuses ids that the server could only read with replacement characters: two of them would become one.
PathInUtf8: Final = Depends(_path_in_utf8)
