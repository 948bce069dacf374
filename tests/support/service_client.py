"""Asks an ASGI application over HTTP without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from starlette.types import ASGIApp


class ServiceClient:
    """Sends requests as one tenant.

    Args:
        app: the application.
        tenant: value of the tenant header; None sends none.
    """

    def __init__(self, app: ASGIApp, tenant: str | None = "north") -> None:
        self.app = app
        self._headers = {} if tenant is None else {"X-Sidetower-Tenant": tenant}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer; a fault of the application is its 500, not an exception."""
        headers = self._headers | more.pop("headers", {})

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(one())

    def bulk(self, *lines: Any) -> list[dict[str, Any]]:
        """The outcomes of a bulk call that is answered; lines that are not bytes are sent as JSON."""
        content = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
        answer = self.ask("POST", "/v1/items/bulk", content=content)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.text.splitlines()]

    def rerank(self, *candidates: Any, **body: Any) -> dict[str, Any]:
        """The answer of a rerank of listings that succeeds, however slow the machine; candidates may be bare ids."""
        offered = [one if isinstance(one, dict) else {"id": one} for one in candidates]
        sent = {"kind": "listing", "deadline_ms": 10_000, "candidates": offered, **body}
        answer = self.ask("POST", "/v1/rerank", json=sent)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def rerank_documents(self, query: str, documents: list[Any], **body: Any) -> dict[str, Any]:
        """The answer to documents in Cohere's shape, however slow the machine."""
        sent = {"query": query, "documents": documents, "kind": "listing", "deadline_ms": 10_000, **body}
        answer = self.ask("POST", "/v1/rerank", json=sent)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def search(self, **body: Any) -> dict[str, Any]:
        """The answer of a search for listings that succeeds, however slow the machine."""
        answer = self.ask("POST", "/v1/search", json={"kind": "listing", "deadline_ms": 10_000, **body})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
