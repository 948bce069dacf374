"""Addressing: whose request it is, told by a header, and which item, told by the path."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Header, Request

from domain.errors import InvalidItem, InvalidQuery
from domain.items import ItemKey

TENANT_HEADER: Final = "X-Sidetower-Tenant"


_Told = Annotated[str | None, Header(alias=TENANT_HEADER, description="Whose items: 1 to 64 bytes of printable UTF-8.")]


async def _tenant_if_told(request: Request, told: _Told = None) -> str:
    values = request.headers.getlist(TENANT_HEADER)
    if not values:
        return ""
    if len(values) > 1 or not told:
        raise _not_one(f"{len(values)} of them" if told else "none")
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


async def _tenant(told: Annotated[str, Depends(_tenant_if_told)]) -> str:
    return required_tenant(told)


def required_tenant(told: str) -> str:
    """The tenant, where a request cannot do without one.

    Raises:
        InvalidQuery: none was told.
    """
    if not told:
        raise _not_one("none")
    return told


def _not_one(got: str) -> InvalidQuery:
    fix = "Let the host's backend set it, never the person's browser."
    return InvalidQuery(f"header {TENANT_HEADER}", expected="the tenant, once", got=got, fix=fix)


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
#: The tenant of the request, or "" without one.
TenantIfTold = Annotated[str, Depends(_tenant_if_told)]
#: Refuses ids that the server could only read with replacement characters: two of them would become one.
PathInUtf8: Final = Depends(_path_in_utf8)
