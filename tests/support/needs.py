"""What a test needs from the machine: absent is a skip for a newcomer and a failure where everything is required."""

from __future__ import annotations

import importlib.util
import os

import pytest


def require(present: bool, how: str) -> None:
    """Skip (or, with SIDETOWER_REQUIRE_ALL=1, fail) unless `present`; `how` says what to install."""
    if present:
        return
    if os.environ.get("SIDETOWER_REQUIRE_ALL") == "1":
        pytest.fail(how)
    pytest.skip(how)


def require_module(name: str, extra: str) -> None:
    """Need an importable module that an install extra brings."""
    require(importlib.util.find_spec(name) is not None, f"{name} is missing: pip install 'sidetower[{extra}]'")
