"""The error tree: every error says what was expected, what came, and the way out."""

from __future__ import annotations

import copy

import pytest

from domain.errors import InvalidItem, SidetowerError


def every_error() -> list[type[SidetowerError]]:
    found, left = [], [SidetowerError]
    while left:
        found.append(left.pop())
        left += found[-1].__subclasses__()
    return found


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_an_error_tells_everything_and_can_be_copied(kind: type[SidetowerError]) -> None:
    error = kind("cars.jsonl line 17", expected="an id", got="nothing", fix="Give it one.")
    assert str(error) == "cars.jsonl line 17: expected an id, got nothing. Give it one."
    assert (type(copy.copy(error)), str(copy.copy(error))) == (kind, str(error))


def test_codes_tell_errors_apart() -> None:
    codes = [kind.code for kind in every_error()]
    assert sorted(codes) == sorted(set(codes))


def test_a_wider_place_goes_first() -> None:
    error = InvalidItem("field price", expected="a number", got="'x'", fix="Send one.").at("line 17")
    assert error.place == "line 17, field price"
