"""What the errors of redis-py mean to Sidetower."""

from __future__ import annotations

from typing import Final

from domain.errors import Busy, Unavailable

#: The server, or our pool of connections, asks for less.
_BUSY: Final = ("MaxConnectionsError", "OutOfMemoryError")
#: Everything else: the server cannot be reached, will not serve us, or is not what it should be.
_UNAVAILABLE: Final = (
    "AskError",
    "AuthenticationError",
    "AuthenticationWrongNumberOfArgsError",
    "AuthorizationError",
    "BusyLoadingError",
    "ChildDeadlockedError",
    "ClusterCrossSlotError",
    "ClusterDownError",
    "ClusterError",
    "ConnectionError",
    "CrossSlotTransactionError",
    "DataError",
    "ExecAbortError",
    "ExternalAuthProviderError",
    "IncorrectPolicyType",
    "InvalidPipelineStack",
    "InvalidResponse",
    "LockError",
    "LockNotOwnedError",
    "MasterDownError",
    "ModuleError",
    "MovedError",
    "NoPermissionError",
    "NoScriptError",
    "NoSuchFieldsetError",
    "PubSubError",
    "ReadOnlyError",
    "RedisClusterException",
    "RedisError",
    "ResponseError",
    "SlotNotCoveredError",
    "TimeoutError",
    "TryAgainError",
    "WatchError",
)

#: By name, because not every release of redis-py has them all.
COUNTERPARTS: Final[dict[str, type[Unavailable]]] = dict.fromkeys(_UNAVAILABLE, Unavailable) | dict.fromkeys(
    _BUSY, Busy
)


def counterpart(error: Exception, address: str) -> Unavailable | None:
    """Our error for one of redis-py's; None when it is not one of redis-py's."""
    for foreign in type(error).__mro__:
        if foreign.__module__ == "redis.exceptions" and foreign.__name__ in COUNTERPARTS:
            return _told(COUNTERPARTS[foreign.__name__], error, address)
    return None


def _told(kind: type[Unavailable], error: Exception, address: str) -> Unavailable:
    busy = kind is Busy
    return kind(
        f"Redis at {address}",
        expected="room for one more command" if busy else "an answer in time",
        got=f"{type(error).__name__}: {error}"[:300],
        fix="Raise maxmemory, or wait until workers have caught up."
        if busy
        else "Check that Redis runs there and that the address and password under [queue] are right.",
    )
