"""A real part some of whose calls fail: a connection that is cut for just these."""

from __future__ import annotations

from typing import Any

from domain.errors import SidetowerError, Unavailable

AWAY = Unavailable("server", expected="an answer", got="silence", fix="Start it.")


class Failing:
    """Passes every call on to a part, except those that are named in `failing`, which raise.

    Args:
        inner: the part.
        failing: the error of each call, by the call's name; may be changed at any time.
    """

    def __init__(self, inner: Any, **failing: SidetowerError) -> None:
        self.failing = failing
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name in self.failing:
            return self._raise(self.failing[name])
        return getattr(self._inner, name)

    @staticmethod
    def _raise(error: SidetowerError) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise error

        return fail
