"""Reciprocal-rank fusion, the numbers written as arithmetic."""

from __future__ import annotations

import pytest

from domain.items import ItemKey
from domain.search import fuse


def key(id_: str) -> ItemKey:
    return ItemKey("a", "listing", id_)


def test_a_key_found_by_both_legs_adds_both_ranks() -> None:
    fused = dict(fuse([[key("x"), key("y")], [key("y")]], limit=10))
    assert fused[key("y")] == pytest.approx(1 / (60 + 2) + 1 / (60 + 1))
    assert fused[key("x")] == pytest.approx(1 / (60 + 1))


def test_ties_go_to_the_earlier_leg_then_to_the_id() -> None:
    fused = fuse([[key("z")], [key("a")], [key("b")]], limit=10)
    assert [found.id for found, _ in fused] == ["z", "a", "b"]


def test_only_the_best_are_kept() -> None:
    assert [found.id for found, _ in fuse([[key("b"), key("a")]], limit=1)] == ["b"]
