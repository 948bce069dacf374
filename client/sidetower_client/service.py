"""The service over HTTP: one request, one answer within the deadline, no second try."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import urllib3

from sidetower_client.answers import CannotRankError
from sidetower_client.flow import Rerank

TENANT_HEADER: Final = "X-Sidetower-Tenant"
#: Reranks at the same time in one process; more wait, within their deadline.
CONNECTIONS: Final = 32


def decoded(status: int, body: bytes) -> Any:
    """The service's answer.

    Raises:
        CannotRankError: it refused the request, or failed.
    """
    if 400 <= status < 500:
        raise CannotRankError("refused", f"{status} {body[:500].decode(errors='replace')}")
    try:
        if status != 200:
            raise ValueError("not 200")
        return json.loads(body)
    except ValueError as error:
        raise CannotRankError("service_failed", f"{status} {body[:200].decode(errors='replace')}") from error


def late(request: Rerank) -> CannotRankError:
    """No answer within the deadline."""
    return CannotRankError("deadline", f"no answer within {1000 * request.seconds:g} ms")


def unreachable(endpoint: str, error: Exception) -> CannotRankError:
    """No connection, or one that broke."""
    return CannotRankError("service_unreachable", f"{endpoint}: {type(error).__name__}: {error}"[:500])


@dataclass(frozen=True)
class _Means:
    """Connections and threads of one process."""

    pid: int
    pool: urllib3.PoolManager
    threads: ThreadPoolExecutor


class Service:
    """Sends reranks; blocking, safe to call from several threads and after a fork.

    Args:
        endpoint: address of the rerank route.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._means: _Means | None = None

    def rerank(self, request: Rerank) -> Any:
        """The decoded answer.

        Raises:
            CannotRankError: there is none, or not in time.
        """
        means = self._of_this_process()
        # In a thread, because neither looking up a host name nor an answer that trickles in has a time-out of its own.
        future = means.threads.submit(self._send, means.pool, request)
        try:
            status, body = future.result(timeout=request.seconds)
        except urllib3.exceptions.NewConnectionError as error:  # counts as a time-out there
            raise unreachable(self._endpoint, error) from error
        except (TimeoutError, urllib3.exceptions.TimeoutError) as error:
            future.cancel()
            raise late(request) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self._endpoint, error) from error
        return decoded(status, body)

    def close(self) -> None:
        """Hang up."""
        means, self._means = self._means, None
        if means is not None and means.pid == os.getpid():
            means.threads.shutdown(wait=False)
            means.pool.clear()

    def _send(self, pool: urllib3.PoolManager, request: Rerank) -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/json",
            # Header values travel as latin-1; the service reads them as UTF-8.
            TENANT_HEADER: request.tenant.encode().decode("latin-1"),
        }
        answer = pool.request(
            "POST",
            self._endpoint,
            body=request.body,
            headers=headers,
            timeout=urllib3.Timeout(total=request.seconds),
            retries=False,
            redirect=False,
        )
        return answer.status, answer.data

    def _of_this_process(self) -> _Means:
        means = self._means
        if means is None or means.pid != os.getpid():
            # A child must use neither its parent's sockets nor its threads, which did not come along.
            pool = urllib3.PoolManager(maxsize=CONNECTIONS, block=False)
            means = _Means(os.getpid(), pool, ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="sidetower"))
            self._means = means
        return means
