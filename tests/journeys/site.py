"""A running `sidetower serve`, asked over HTTP as a host's backend asks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.journeys.house import House
from tests.journeys.processes import Background, until

_LISTENS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
#: Milliseconds that a search may take; the machine may be busy with other tests.
_PATIENCE_MS = 10_000


class Site:
    """The service of one house, for one tenant.

    Args:
        process: what serves.
        url: where.
        tenant: who asks.
    """

    def __init__(self, process: Background, url: str, tenant: str = "north") -> None:
        self.process = process
        self.url = url
        self._http = httpx.Client(base_url=url, headers={"X-Sidetower-Tenant": tenant}, timeout=30, trust_env=False)

    def close(self) -> None:
        """Hang up; the service goes on."""
        self._http.close()

    def ready(self) -> bool:
        """Whether it says that traffic may come."""
        return self._http.get("/readyz").status_code == 200

    def put(self, document: Mapping[str, Any]) -> None:
        """Tell a listing, which has to be stored."""
        answer = self._http.put(f"/v1/items/listing/{document['listing_id']}", json=dict(document))
        assert (answer.status_code, answer.json()["outcome"]) == (200, "written"), answer.text

    def delete(self, id_: str, revision: int) -> None:
        """Take a listing away."""
        answer = self._http.delete(f"/v1/items/listing/{id_}", params={"revision": revision})
        assert (answer.status_code, answer.json()["outcome"]) == (200, "written"), answer.text

    def search(self, text: str, limit: int = 10) -> dict[str, Any]:
        """The answer of a search."""
        body = {"kind": "listing", "query": text, "limit": limit, "deadline_ms": _PATIENCE_MS}
        answer = self._http.post("/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finds(self, text: str, id_: str) -> bool:
        """Whether the listing is among the two best; only the best by vector may tie with a word of its own."""
        return id_ in [hit["id"] for hit in self.search(text)["hits"][:2]]

    def similar(self, id_: str) -> httpx.Response:
        """The answer about items like this one, whatever its status."""
        return self._http.get(f"/v1/similar/listing/{id_}")

    def has_vector(self, id_: str) -> bool:
        """Whether items like this one are found by its vector."""
        answer = self.similar(id_)
        assert answer.status_code == 200, answer.text
        return answer.json()["degraded"] is None


@contextmanager
def serving(house: House, environ: Mapping[str, str] | None = None) -> Iterator[Site]:
    """The house's service on a free port, ready; it is killed at the end of the block."""
    with serving_with(house.folder, "serve", environ=environ) as site:
        yield site


@contextmanager
def serving_with(
    folder: Path, *arguments: str, tenant: str = "north", environ: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """The service that this command line starts, moved to a free port."""
    with Background(folder, *arguments, "--port", "0", environ=environ) as process:
        until(lambda: bool(_LISTENS.search(process.told())) or not process.running, "the service listens")
        listens = _LISTENS.search(process.told())
        assert listens, process.told()
        site = Site(process, listens[1], tenant)
        try:
            until(site.ready, "the service is ready")
            yield site
        finally:
            site.close()
