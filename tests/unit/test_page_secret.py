"""The secret of page tokens: told by the environment, else one's own, never a short one."""

from __future__ import annotations

import pytest

from domain.errors import ConfigurationError
from sidetower.page_secret import page_secret


def test_the_environment_tells_it() -> None:
    assert page_secret({"SIDETOWER_PAGE_SECRET": "0123456789abcdef"}) == b"0123456789abcdef"


def test_without_it_each_process_has_its_own() -> None:
    assert len(page_secret({})) == 32
    assert page_secret({}) != page_secret({"SIDETOWER_PAGE_SECRET": " "})


def test_a_short_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        page_secret({"SIDETOWER_PAGE_SECRET": "too short"})
