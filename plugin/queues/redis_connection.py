"""One Redis: connections opened when needed and after a fork, time-outs on everything, scripts by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.connection import parse_url
from redis.retry import Retry

from domain.errors import ConfigurationError
from plugin.queues.redis_errors import counterpart

#: Seconds. Queueing stands in the way of a host's write, so it is short.
CONNECT_TIMEOUT: Final = 1.0
ANSWER_TIMEOUT: Final = 2.0
_SCRIPTS: Final = ("add", "claim", "done", "give_back", "extend", "depth")


@dataclass(frozen=True, slots=True)
class _Opened:
    client: redis.Redis
    scripts: dict[str, Script]


class RedisConnection:
    """Runs the queue's scripts, one client for each process.

    Args:
        url: ``redis://[[user]:password@]host:port/db``, or ``rediss://`` for TLS.

    Raises:
        ConfigurationError: the address is not one of Redis.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            parts = parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise ConfigurationError(
                "[queue] redis",
                expected="redis://host:port/db",
                got=str(error).split(":", 1)[0],
                fix="Write it as redis://localhost:6379/0.",
            ) from None
        #: Where it is, without the password.
        self.address = str(parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}")
        # A client holds sockets and locks, neither of which may be shared with a forked child.
        self._opened: dict[int, _Opened] = {}

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script answers, run in one step by the server.

        Raises:
            Unavailable: Redis cannot be reached, or refuses.
            Busy: Redis is out of memory.
        """
        try:
            return self._here().scripts[script](keys=keys, args=arguments)
        except Exception as error:
            told = counterpart(error, self.address)
            if told is None:
                raise
            raise told from error

    def _here(self) -> _Opened:
        opened = self._opened.get(os.getpid())
        return opened or self._opened.setdefault(os.getpid(), self._open())

    def _open(self) -> _Opened:
        client = redis.Redis.from_url(
            self._url,
            decode_responses=True,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=ANSWER_TIMEOUT,
            socket_keepalive=True,
            health_check_interval=30,
            # Once more at once, for a pooled connection that the server closed; every script may be repeated.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        folder = resources.files("plugin.queues") / "scripts"
        lane = (folder / "lane.lua").read_text()
        texts = {name: lane + (folder / f"{name}.lua").read_text() for name in _SCRIPTS}
        return _Opened(client, {name: client.register_script(text) for name, text in texts.items()})
