"""A real part with something else happening just before one of its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Interleaved:
    """Passes every call on to a part; before the first call of a name, another writer has its turn.

    Args:
        inner: the part.
        before: what happens first, by the call's name; each once.
    """

    def __init__(self, inner: Any, **before: Callable[[], object]) -> None:
        self._inner = inner
        self._before = before

    def __getattr__(self, name: str) -> Any:
        act = self._before.pop(name, None)
        if act is not None:
            act()
        return getattr(self._inner, name)
