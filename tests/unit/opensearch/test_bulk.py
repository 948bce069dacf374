from __future__ import annotations

import pytest

from plugin.opensearch.bulk import batches


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([4], [[4]]),
        ([3, 3, 3, 1], [[3, 3, 3], [1]]),  # three documents are the bound
        ([6, 4, 1], [[6, 4], [1]]),  # ten bytes are the bound, and fit
        ([6, 5, 1], [[6], [5, 1]]),
        ([2, 50, 2], [[2], [50], [2]]),  # too large for the bound: alone
    ],
)
def test_batches_keep_both_bounds_and_the_order(sizes: list[int], expected: list[list[int]]) -> None:
    found = list(batches([b"x" * size for size in sizes], max_documents=3, max_bytes=10))
    assert [[len(line) for line in batch] for batch in found] == expected
