"""Wrapping: the host's own client, whose searches can be ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from opensearchpy import OpenSearch

from sidetower_client.calls import Call
from sidetower_client.flow import Flow, search_flow
from sidetower_client.service import Service
from sidetower_client.settings import Options, Settings

if TYPE_CHECKING:
    from opensearchpy import AsyncOpenSearch

    from sidetower_client.asynchronous import RerankingAsyncOpenSearch

Made = TypeVar("Made")


class RerankingOpenSearch(OpenSearch):
    """An `OpenSearch` whose ``search`` takes ``sidetower=``; made by `wrap`."""

    _sidetower_settings: Settings
    _sidetower_service: Service

    def search(self, *args: Any, sidetower: Options | None = None, **kwargs: Any) -> Any:
        """The engine's answer; with `sidetower`, its hits in the order for the person who asks.

        ``ext.sidetower`` of the answer says `ranked_by` or `degraded`. Nothing that happens on the way to that order
        raises: the engine's own answer comes instead.

        Args:
            args: as opensearch-py takes them.
            sidetower: who asks; None passes the call on as it is.
            kwargs: as opensearch-py takes them.
        """
        if sidetower is None or args:
            return super().search(*args, **kwargs)
        own, flow = begun(self._sidetower_settings, sidetower, kwargs)
        step = next(flow)
        while True:
            try:
                if isinstance(step, Call):
                    answer = super().search(**(kwargs if step is own else arguments(step)))
                else:
                    answer = self._sidetower_service.rerank(step)
            except Exception as error:
                step = flow.throw(error)
                continue
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value

    def close(self) -> None:
        """Hang up, at the engine and at the service."""
        self._sidetower_service.close()
        super().close()


@overload
def wrap(
    client: OpenSearch,
    *,
    url: str,
    tenant: str,
    kind: str,
    window: int = ...,
    deadline_ms: int = ...,
    id_field: str = ...,
) -> RerankingOpenSearch: ...


@overload
def wrap(
    client: AsyncOpenSearch,
    *,
    url: str,
    tenant: str,
    kind: str,
    window: int = ...,
    deadline_ms: int = ...,
    id_field: str = ...,
) -> RerankingAsyncOpenSearch: ...


def wrap(
    client: OpenSearch | AsyncOpenSearch,
    *,
    url: str,
    tenant: str,
    kind: str,
    window: int = 200,
    deadline_ms: int = 200,
    id_field: str = "",
) -> RerankingOpenSearch | RerankingAsyncOpenSearch:
    """A client like this one, on the same connections, whose ``search`` takes ``sidetower=``; nothing is sent yet.

    Args:
        client: any `OpenSearch` or `AsyncOpenSearch`, subclasses included; it can be used further.
        url: address of the Sidetower service.
        tenant: whose items the searches find; a search may name another.
        kind: kind of the items; a search may name another.
        window: hits of the engine that are ranked, 1 to 1,000.
        deadline_ms: milliseconds that ranking may take beside the engine's own time; a search may name another.
        id_field: field of the documents that holds the item's id, as ``object.field``; OpenSearch's ``_id`` without.

    Raises:
        ValueError: an argument is wrong.
    """
    settings = Settings(url, tenant, kind, window=window, deadline_ms=deadline_ms, id_field=id_field)
    if isinstance(client, OpenSearch):
        wrapped = _like(client, RerankingOpenSearch)
        wrapped._sidetower_settings, wrapped._sidetower_service = settings, Service(settings.endpoint)
        return wrapped
    # Needs aiohttp, which whoever has such a client has.
    from sidetower_client.asynchronous import AsyncService, RerankingAsyncOpenSearch

    waiting = _like(client, RerankingAsyncOpenSearch)
    waiting._sidetower_settings, waiting._sidetower_service = settings, AsyncService(settings.endpoint)
    return waiting


def begun(settings: Settings, options: Options, kwargs: dict[str, Any]) -> tuple[Call, Flow]:
    """The host's own call and the flow of its ranking.

    Args:
        settings: of the wrapped client.
        options: of the search.
        kwargs: the host's arguments.
    """
    told = dict(kwargs)
    body, index, headers = (told.pop(name, None) for name in ("body", "index", "headers"))
    call = Call(body, index, headers, {**(told.pop("params", None) or {}), **told})
    return call, search_flow(call, settings, options)


def arguments(call: Call) -> dict[str, Any]:
    """The call as opensearch-py takes it."""
    return {"body": call.body, "index": call.index, "headers": call.headers, **call.url}


def _like(client: Any, kind: type[Made]) -> Made:
    """The same client, of a class that is both its own and ours."""
    own = type(client)
    made = kind if own in kind.__bases__ else type(f"Reranking{own.__name__}", (kind, own), {})
    wrapped: Made = object.__new__(made)
    wrapped.__dict__.update(client.__dict__)
    return wrapped
