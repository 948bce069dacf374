"""The same for asynchronous clients, over aiohttp, which opensearch-py's own asynchronous client is built on."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from opensearchpy import AsyncOpenSearch

from sidetower_client.calls import Call
from sidetower_client.flow import Rerank
from sidetower_client.service import CONNECTIONS, TENANT_HEADER, decoded, late, unreachable
from sidetower_client.settings import Options, Settings
from sidetower_client.wrapping import arguments, begun


class AsyncService:
    """Sends reranks from one event loop at a time.

    Args:
        endpoint: address of the rerank route.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def rerank(self, request: Rerank) -> Any:
        """The decoded answer.

        Raises:
            CannotRankError: there is none, or not in time.
        """
        try:
            async with self._of_this_loop().post(
                self._endpoint,
                data=request.body,
                headers={"Content-Type": "application/json", TENANT_HEADER: request.tenant},
                timeout=aiohttp.ClientTimeout(total=request.seconds),
                allow_redirects=False,
            ) as answer:
                status, body = answer.status, await answer.read()
        except TimeoutError as error:
            raise late(request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(self._endpoint, error) from error
        return decoded(status, body)

    async def close(self) -> None:
        """Hang up."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _of_this_loop(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        return self._session


class RerankingAsyncOpenSearch(AsyncOpenSearch):
    """An `AsyncOpenSearch` whose ``search`` takes ``sidetower=``; made by `wrap`."""

    _sidetower_settings: Settings
    _sidetower_service: AsyncService

    async def search(self, *args: Any, sidetower: Options | None = None, **kwargs: Any) -> Any:
        """As `RerankingOpenSearch.search`.

        Args:
            args: as opensearch-py takes them.
            sidetower: who asks; None passes the call on as it is.
            kwargs: as opensearch-py takes them.
        """
        if sidetower is None or args:
            return await super().search(*args, **kwargs)
        own, flow = begun(self._sidetower_settings, sidetower, kwargs)
        step = next(flow)
        while True:
            try:
                if isinstance(step, Call):
                    answer = await super().search(**(kwargs if step is own else arguments(step)))
                else:
                    answer = await self._sidetower_service.rerank(step)
            except Exception as error:
                step = flow.throw(error)
                continue
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value

    async def close(self) -> None:
        """Hang up, at the engine and at the service."""
        await self._sidetower_service.close()
        await super().close()
