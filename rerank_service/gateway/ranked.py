"""Ranked searches: the window from the cluster, the ranking, the page from the cluster."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

import orjson

from domain.catalogue import Kind
from domain.errors import Unavailable
from rerank_service.deadline import Deadline
from rerank_service.gateway.asked import as_json, request_of
from rerank_service.gateway.bodies import Search, page_of, page_search, window_search
from rerank_service.gateway.cluster import Cluster, Headers
from rerank_service.gateway.outcome import PASSED, RANK_ID, RANKED_BY, OwnSearch, Trouble, degraded, header
from rerank_service.gateway.pages import in_order, merged, offered
from rerank_service.gateway.targets import Target, target_of
from rerank_service.request import ENGINE, RerankRequest
from rerank_service.reranks import Reranked

#: Bytes of an answer of the cluster that is held whole; the caller's own search may be answered with any number.
MAX_ANSWER_BYTES: Final = 8_388_608


@dataclass(frozen=True, slots=True)
class Call:
    """One search of a caller, taken apart."""

    method: str
    #: Path at the cluster, as it came.
    path: bytes
    #: Index, alias, pattern or several of them; empty for every index.
    index: str
    #: Of the caller, for requests of our making.
    headers: Headers
    #: Without `ext.sidetower`.
    search: Search
    #: `ext.sidetower`.
    person: Any


@dataclass(frozen=True, slots=True)
class RankedPage:
    """An answer as the cluster would give it, its hits in the ranking's order."""

    headers: Headers
    body: bytes


class RankedSearches:
    """Ranks searches of the host's cluster.

    Args:
        cluster: asked in the caller's name.
        targets: which indexes are ranked.
        kinds: the kinds that are served.
        rerank: the ranking core; never raises for a part that fails.
    """

    def __init__(
        self,
        cluster: Cluster,
        targets: Mapping[str, Target],
        kinds: Mapping[str, Kind],
        rerank: Callable[[RerankRequest], Awaitable[Reranked]],
    ) -> None:
        self._cluster = cluster
        self._targets = targets
        self._kinds = kinds
        self._rerank = rerank

    async def answer(self, call: Call) -> RankedPage:
        """The page in the ranking's order.

        Raises:
            OwnSearch: the caller's own search is to be answered, whatever the reason.
        """
        try:
            return await self._answer(call)
        except OwnSearch:
            raise
        except Exception as error:
            # Promise 6: whatever goes wrong beside the caller's own search, that search is answered.
            raise degraded(Trouble.GATEWAY_FAILED, type(error).__name__) from error

    async def _answer(self, call: Call) -> RankedPage:
        began = time.monotonic()
        target = target_of(call.index, self._targets)
        if target is None:
            raise OwnSearch(PASSED, "index")
        page = page_of(call.search, target.window)
        if isinstance(page, str):
            raise OwnSearch(PASSED, page)
        request = request_of(call.person, target, call.search.body.get("query"), self._kinds, began)
        if request.weight == 0 or not (request.text or request.wants_history):
            _in_engine_order()
        search = window_search(call.search, page, target.window, target.id_field)
        _, content = await self._asked(call, search, Trouble.WINDOW_FAILED)
        window = orjson.loads(content)
        hits = window["hits"]["hits"]
        if page.start >= len(hits):
            _in_engine_order()
        candidates = offered(hits[: target.window], target.id_field)
        # The deadline is that of ranking: the cluster takes its time for the caller's own search as well.
        found = await self._rerank(replace(request, offered=candidates, deadline=Deadline(request.deadline.seconds)))
        if found.degraded:
            raise degraded(found.degraded.value)
        if found.ranked_by == ENGINE:
            _in_engine_order()
        ranking = in_order(hits, found.ranked, page, explain=request.explain)
        search = page_search(call.search, ranking[page.start :])
        headers, content = await self._asked(call, search, Trouble.PAGE_FAILED)
        # Not by orjson, which rounds whole numbers beyond 64 bits.
        told = merged(json.loads(content), window, ranking, page)
        rank_id = str(uuid.uuid4())
        marker = {"ranked_by": found.ranked_by, "degraded": None, "rank_id": rank_id}
        told["ext"] = {**told.get("ext", {}), "sidetower": {**marker, "history_used": found.history_used}}
        told["took"] = round(1000 * (time.monotonic() - began))
        body = json.dumps(told, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return RankedPage([*headers, header(RANKED_BY, found.ranked_by), header(RANK_ID, rank_id)], body)

    async def _asked(self, call: Call, search: Search, reason: Trouble) -> tuple[Headers, bytes]:
        """Headers and body of the cluster's answer to a search of our making."""
        query = urlencode(search.url)
        target = call.path + (f"?{query}".encode() if query else b"")
        try:
            async with self._cluster.send(call.method, target, call.headers, as_json(search.body)) as answer:
                content = bytearray()
                async for piece in answer.pieces():
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        raise degraded(reason, f"an answer of more than {MAX_ANSWER_BYTES} bytes")
                if answer.status != 200:
                    raise degraded(reason, f"{answer.status} {bytes(content).decode(errors='replace')}")
                return answer.headers, bytes(content)
        except Unavailable as error:
            raise degraded(reason, str(error)) from error


def _in_engine_order() -> NoReturn:
    raise OwnSearch(RANKED_BY, ENGINE)
