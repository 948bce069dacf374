"""Outcome: what became of a search, told in the headers of its answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PASSED: Final = "x-sidetower-passed"
RANKED_BY: Final = "x-sidetower-ranked-by"
DEGRADED: Final = "x-sidetower-degraded"
RANK_ID: Final = "x-sidetower-rank-id"
DETAIL: Final = "x-sidetower-detail"
#: Characters of a header; what is wrong stands in its beginning.
_MOST: Final = 400


class Trouble(StrEnum):
    """Why a search was not ranked, beside the service's own reasons; each stands in docs/reference/gateway.md."""

    #: `ext.sidetower` is wrong.
    REFUSED = "refused"
    #: The cluster refused the search for the window.
    WINDOW_FAILED = "window_failed"
    #: The cluster refused the search for the page.
    PAGE_FAILED = "page_failed"
    #: A hit was gone when the page was fetched.
    PAGE_CHANGED = "page_changed"
    #: A hit has no text or number in the id field.
    IDS_MISSING = "ids_missing"
    #: Two hits of the window have one id.
    AMBIGUOUS_IDS = "ambiguous_ids"
    #: A fault of the gateway.
    GATEWAY_FAILED = "gateway_failed"


class OwnSearch(Exception):
    """Ends the ranking of one search: the caller's own is sent on and its answer given back byte for byte.

    Args:
        header: that tells why.
        value: of the header.
        detail: for whoever looks for the cause.
    """

    def __init__(self, header: str, value: str, detail: str = "") -> None:
        super().__init__(header, value, detail)
        self.header = header
        self.value = value
        self.detail = detail

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As an answer carries them."""
        told = {self.header: self.value} | ({DETAIL: self.detail} if self.detail else {})
        return [header(name, value) for name, value in told.items()]


def degraded(reason: str, detail: str = "") -> OwnSearch:
    """The ranking failed."""
    return OwnSearch(DEGRADED, reason, detail)


def header(name: str, value: str) -> tuple[bytes, bytes]:
    """A header of visible characters, whatever the value quotes."""
    plain = "".join(one if one.isprintable() else " " for one in value[:_MOST])
    return name.encode(), plain.encode("ascii", "replace")
