"""Page tokens: the order of a ranked window, signed, so that later pages are slices of the same ranking."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Final

from domain.errors import InvalidQuery
from rerank_service.request import SearchRequest

#: As long as a window of the longest ids there are.
MAX_CHARACTERS: Final = 200_000
_PURPOSE: Final = b"sidetower page 1\0"
_MAC_BYTES: Final = 16
_FIX: Final = "Ask for the first page again, without page_token."


@dataclass(frozen=True, slots=True)
class Window:
    """A ranking, as it was when its first page was told."""

    tenant: str
    kind: str
    #: What it was served from.
    generation: str
    bundle: str
    #: What was asked for (`asked_for`).
    asked: str
    #: Seconds since 1970: later events had no part in it.
    cut_off: float
    #: Best first, with their scores and the ranks that the engine gave.
    ids: tuple[str, ...]
    scores: tuple[float, ...]
    ranks: tuple[int, ...]
    #: Whether the engine had more candidates than were ranked.
    more: bool
    ranked_by: str = ""
    degraded: str = ""
    history_used: int = 0


class PageTokens:
    """Signs windows and reads them again.

    Args:
        secret: processes that share it read each other's tokens.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, window: Window) -> str:
        """The window as text that a URL can hold."""
        content = zlib.compress(json.dumps(asdict(window), separators=(",", ":")).encode(), 6)
        return base64.urlsafe_b64encode(self._mac(content) + content).decode()

    def read(self, token: str, request: SearchRequest) -> Window:
        """The window that `sign` was given.

        Raises:
            InvalidQuery: it was not signed with this secret, for another tenant, or for another search.
        """
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeError, binascii.Error):
            raw = b""
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(content)):
            raise _refused("a token as this service told it", "one that it has not signed")
        told: dict[str, Any] = json.loads(zlib.decompress(content))
        window = Window(**told | {name: tuple(told[name]) for name in ("ids", "scores", "ranks")})
        if (window.tenant, window.kind) != (request.scope.tenant, request.kind):
            raise _refused("a token of the same tenant and kind", "that of another")
        if window.asked != asked_for(request):
            raise _refused("the query, filters, audiences and rules of the first page", "others")
        return window

    def _mac(self, content: bytes) -> bytes:
        return hmac.new(self._secret, _PURPOSE + content, hashlib.sha256).digest()[:_MAC_BYTES]


def asked_for(request: SearchRequest) -> str:
    """Differs when a search looks for something else; who looks, and what they did, is left out."""
    rules = (request.rules.pins, sorted(request.rules.hides), sorted(request.rules.boosts.items()))
    told = repr((request.text, request.filters, request.scope.groups(), rules))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def expired() -> InvalidQuery:
    """What the token was served from is gone."""
    return _refused("a token of a generation that is still there", "one that was dropped")


def _refused(expected: str, got: str) -> InvalidQuery:
    return InvalidQuery("body.page_token", expected=expected, got=got, fix=_FIX)
