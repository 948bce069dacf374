"""Neighbours on worlds whose right answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import BundleRefused
from recommender.neighbour_file import NeighbourTables, read_neighbours, write_neighbours
from recommender.neighbours import (
    EASE_ITEMS,
    MOST_CELLS,
    SIGNALS,
    Interactions,
    cross_fitted,
    ease,
    find_neighbours,
    item_knn,
)

ITEMS = 20
IDS = [f"item-{number}" for number in range(ITEMS)]


def checkerboard(people: int = 60) -> list[list[int]]:
    """Even people like even items, odd ones odd items; each has most of them."""
    rng = np.random.default_rng(0)
    return [[row for row in range(ITEMS) if row % 2 == one % 2 and rng.random() < 0.7] for one in range(people)]


def test_ease_is_its_closed_form_either_way_round() -> None:
    for people in (8, 60):
        matrix = (np.random.default_rng(1).random((people, 12)) < 0.4).astype(np.float32)
        inverse = np.linalg.inv(matrix.T.astype(np.float64) @ matrix + 5.0 * np.eye(12))
        expected = -inverse / np.diag(inverse)
        np.fill_diagonal(expected, 0)
        np.testing.assert_allclose(ease(matrix, 5.0), expected, atol=1e-4)


def test_item_knn_is_the_shrunk_cosine() -> None:
    matrix = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32)
    # Items 0 and 1: 2 people in common, 3 and 2 people each.
    assert item_knn(matrix, 10.0)[0, 1] == pytest.approx(2 / (np.sqrt(3 * 2) + 10))
    assert item_knn(matrix, 0.0)[1, 2] == 0


def test_neighbours_lie_on_the_own_colour() -> None:
    found = find_neighbours(IDS, Interactions.of(checkerboard(), ITEMS), kept=5)
    for row in range(ITEMS):
        span = slice(found.starts[row], found.starts[row + 1])
        positive = found.others[span][found.weights[span] > 0]
        assert len(positive)
        assert {int(other) % 2 for other in positive} == {row % 2}


def test_signals_are_sums_and_maxima_over_the_history() -> None:
    found = find_neighbours(IDS, Interactions.of(checkerboard(), ITEMS))
    columns = dict(zip(SIGNALS, found.signals(["item-0", "item-2", "item-0"], ["item-4", "nobody's"]).T, strict=True))

    def weight(source: int, target: int) -> float:
        span = slice(found.starts[source], found.starts[source + 1])
        return float(found.weights[span][found.others[span] == target][0])

    assert columns["neighbours.sum"][0] == pytest.approx(weight(0, 4) + weight(2, 4))
    assert columns["neighbours.most"][0] == pytest.approx(max(weight(0, 4), weight(2, 4)))
    assert columns["neighbours.known"].tolist() == [1, 0]
    assert columns["neighbours.history"].tolist() == pytest.approx([np.log1p(2)] * 2)
    share = sum(4 in one for one in checkerboard()) / sum(bool(one) for one in checkerboard())
    assert columns["neighbours.popularity"].tolist() == pytest.approx([np.log1p(1_000 * share), 0])


def test_signals_of_candidates_are_those_of_all_items() -> None:
    found = find_neighbours(IDS, Interactions.of(checkerboard(), ITEMS), kept=7)
    chosen = [17, 3, 8]
    few = found.signals(["item-1", "item-5"], [IDS[row] for row in chosen])
    np.testing.assert_array_equal(few, found.columns([1, 5])[chosen])


def test_many_people_are_counted_without_a_table_of_them() -> None:
    baskets: list[list[int]] = [[0, 1], [0, 1], [1, 2]] + [[]] * (MOST_CELLS // EASE_ITEMS)
    found = find_neighbours([str(row) for row in range(EASE_ITEMS)], Interactions.of(baskets, EASE_ITEMS))
    # ItemKNN's weights, which are its cosines; EASE's are others.
    np.testing.assert_array_equal(found.weights, found.likeness)
    assert found.columns([0])[1, SIGNALS.index("neighbours.most")] > 0


def test_without_history_or_neighbours_nothing_is_said_but_how_popular_an_item_is() -> None:
    found = find_neighbours(IDS, Interactions.of(checkerboard(), ITEMS))
    columns = found.signals([], IDS)
    assert not np.delete(columns, SIGNALS.index("neighbours.popularity"), axis=1).any()
    nobody = find_neighbours(IDS, Interactions.of([], ITEMS))
    assert not nobody.signals(["item-1"], IDS)[:, :-2].any()


def test_related_items_are_of_the_historys_colour_and_popular_ones_are_counted() -> None:
    people = checkerboard()
    table = find_neighbours(IDS, Interactions.of(people, ITEMS))
    history = [IDS[0], IDS[4], "unknown"]
    found = table.related(history, 5)
    sums = {id_: table.signals(history, [id_])[0, 0] for id_ in IDS if id_ not in history}
    assert found == sorted(sums, key=lambda id_: (-sums[id_], table.row[id_]))[:5]
    assert all(table.row[id_] % 2 == 0 for id_ in found)
    assert table.related(["unknown"], 5) == []
    counts = [sum(row in one for one in people) for row in range(ITEMS)]
    assert table.popular(3) == [IDS[row] for row in sorted(range(ITEMS), key=lambda row: (-counts[row], row))[:3]]


def test_many_items_are_counted_without_a_square_of_them() -> None:
    pairs = Interactions.of(checkerboard(), ITEMS)
    matrix = pairs.dense()
    found = find_neighbours(IDS, pairs, shrink=3.0, kept=ITEMS, ease_items=ITEMS - 1)
    expected = item_knn(matrix, 3.0)
    for row in range(ITEMS):
        span = slice(found.starts[row], found.starts[row + 1])
        dense = np.zeros(ITEMS, np.float32)
        dense[found.others[span]] = found.weights[span]
        np.testing.assert_allclose(dense, expected[row], atol=1e-6)


def test_cross_fitting_leaves_a_persons_own_events_out() -> None:
    people = checkerboard(20)
    # Nobody but person 0 has both of these.
    people[0] = [0, 1]
    pairs = Interactions.of(people, ITEMS)
    fitted = cross_fitted(IDS, pairs, [one % 2 for one in range(20)])
    known = SIGNALS.index("neighbours.likeness")
    assert find_neighbours(IDS, pairs).columns([0])[1, known] > 0
    assert fitted[0].columns([0])[1, known] == 0
    assert fitted[1].columns([0])[1, known] > 0


def test_a_file_gives_back_what_was_written_bit_for_bit(tmp_path: Path) -> None:
    tables = NeighbourTables(
        {
            ("b", "item"): find_neighbours(IDS, Interactions.of(checkerboard(), ITEMS)),
            ("a", "item"): find_neighbours([], Interactions.of([], 0)),
        }
    )
    write_neighbours(tmp_path / "one.npz", tables)
    write_neighbours(tmp_path / "two.npz", read_neighbours(tmp_path / "one.npz"))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = read_neighbours(tmp_path / "two.npz")
    assert found.of("c", "item") is None
    table, again = tables.of("b", "item"), found.of("b", "item")
    assert table is not None
    assert again is not None
    np.testing.assert_array_equal(again.columns([1, 2]), table.columns([1, 2]))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "neighbours.npz"
    write_neighbours(path, NeighbourTables({("t", "item"): find_neighbours(IDS, Interactions.of(checkerboard(), 20))}))
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:200] + b"x" + whole[201:], b""):
        path.write_bytes(damaged)
        with pytest.raises(BundleRefused):
            read_neighbours(path)
    with pytest.raises(BundleRefused, match="neighbours"):
        read_neighbours(tmp_path / "none.npz")
