"""The contract of checkpoints: small documents by name, the last one wins."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from domain.ports import Checkpoints

FULL: dict[str, Any] = {"reached": 1_767_225_600_123, "after": ["nörth", "car 1"], "done": False, "note": None}


class CheckpointContract:
    """Subclasses supply the fixture `checkpoints`."""

    @pytest.fixture
    def name(self) -> str:
        """A name that no other test has: long, and with signs that a path or an index may hold."""
        return f"follow listing cars-*,vans \N{AUTOMOBILE} {'x' * 600} {uuid.uuid4().hex}"

    def test_before_the_first_there_is_none(self, checkpoints: Checkpoints, name: str) -> None:
        assert checkpoints.get(name) is None

    def test_a_document_comes_back_whole_and_at_once(self, checkpoints: Checkpoints, name: str) -> None:
        checkpoints.put(name, FULL)
        assert checkpoints.get(name) == FULL

    def test_the_last_one_wins_and_replaces_all_of_the_one_before(self, checkpoints: Checkpoints, name: str) -> None:
        for number in range(5):
            checkpoints.put(name, FULL | {"reached": number})
        checkpoints.put(name, {"reached": 2})
        assert checkpoints.get(name) == {"reached": 2}

    def test_names_are_apart(self, checkpoints: Checkpoints, name: str) -> None:
        checkpoints.put(name, {"reached": 1})
        checkpoints.put(f"{name} ", {"reached": 2})
        checkpoints.forget(f"{name} ")
        assert checkpoints.get(name) == {"reached": 1}
        assert checkpoints.get(f"{name} ") is None

    def test_what_was_forgotten_is_gone_and_forgetting_nothing_is_nothing(
        self, checkpoints: Checkpoints, name: str
    ) -> None:
        checkpoints.forget(name)
        checkpoints.put(name, FULL)
        checkpoints.forget(name)
        assert checkpoints.get(name) is None
        checkpoints.forget(name)
