"""The lean run time equals TensorFlow on random inputs: empty ones, single ones, and a thousand at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.needs import require_module
from tests.support.parity import COUNTS, Pair, greatest_differences, pairs

pytestmark = pytest.mark.training

#: `make bench-parity` tries ten thousand.
INPUTS = 40


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    require_module("tensorflow", "train")
    return pairs(tmp_path_factory.mktemp("parity"))


NAMES = (
    "item tower",
    "user tower of bundle zero",
    "user tower, trained",
    "scorer of bundle zero",
    "scorer, trained",
    "relevance, trained",
)


def test_every_network_is_tried(networks: dict[str, Pair]) -> None:
    assert set(networks) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_random_inputs_give_tensorflows_numbers_one_by_one_too_and_after_a_reload(
    networks: dict[str, Pair], name: str
) -> None:
    found = greatest_differences(networks[name], INPUTS)
    assert found["TensorFlow"] <= 1e-4
    assert found["single"] <= 1e-4
    assert found["reload"] == 0


def test_the_inputs_are_of_every_size_and_some_are_empty(networks: dict[str, Pair]) -> None:
    rng = np.random.default_rng(0)
    drawn = [networks["item tower"].draw(rng) for _ in range(200)]
    assert {len(one.text) for one in drawn} == set(COUNTS)
    assert any(len(one.text) and not one.text.any() and not one.known.any() for one in drawn)
    histories = [networks["user tower, trained"].draw(rng) for _ in range(50)]
    assert any(not len(history.items) for history, _ in histories)
    assert any(query is None for _, query in histories)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("scorer")])
def test_nobody_is_exactly_nothing_and_so_is_no_query(networks: dict[str, Pair], name: str) -> None:
    rng, lean = np.random.default_rng(2), networks[name].opened()
    for _ in range(INPUTS):
        query, user, *rest = networks[name].draw(rng)
        assert not lean((query, None, *rest))["personal"].any()
        assert not lean((None, user, *rest))["relevance"].any()


def test_no_query_is_exactly_no_judged_relevance(networks: dict[str, Pair]) -> None:
    rng, pair = np.random.default_rng(3), networks["relevance, trained"]
    lean = pair.opened()
    for _ in range(INPUTS):
        _, *rest = pair.draw(rng)
        assert not lean((None, *rest))["relevance"].any()


def test_a_network_that_is_off_is_found(networks: dict[str, Pair]) -> None:
    pair = networks["scorer, trained"]
    other = networks["scorer of bundle zero"]
    wrong = Pair(
        other.draw,
        other.traced,
        lambda: lambda given: pair.opened()((*given[:3], np.zeros((len(given[2]), 7), np.float32))),
        None,
    )
    assert greatest_differences(wrong, 10)["TensorFlow"] > 1e-4
