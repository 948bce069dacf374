"""BM25 against the formula, and its words against the engine's."""

from __future__ import annotations

import math

import pytest

from recommender.evaluation.bm25 import Bm25, engine_words

DOCUMENTS = [
    {"title": "Rotate access keys", "body": "Keys are rotated from the console."},
    {"title": "Delete a bucket", "body": "Empty the bucket first, then delete it."},
    {"title": "Access points"},
]


def test_words_are_split_folded_and_stemmed_as_the_engines_do() -> None:
    assert engine_words(["The Cafés' running, foot-notes x2!", "", "a"]) == [
        ["the", "cafe", "run", "foot", "note", "x2"],
        [],
        ["a"],
    ]


def test_scores_are_those_of_the_formula() -> None:
    found = Bm25(DOCUMENTS).by_field(["access keys"])[0]["title"]
    lengths = (3, 3, 2)
    mean = 8 / 3

    def part(documents: int, length: int) -> float:
        idf = math.log(1 + (3 - documents + 0.5) / (documents + 0.5))
        return idf / (1 + 1.2 * (1 - 0.75 + 0.75 * length / mean))

    assert found.tolist() == pytest.approx([part(2, lengths[0]) + part(1, lengths[0]), 0, part(2, lengths[2])])


def test_fields_are_weighted_and_missing_ones_count_nothing() -> None:
    bm25 = Bm25(DOCUMENTS)
    fields = bm25.by_field(["bucket"])[0]
    assert bm25.scores("bucket", {"title": 3.0, "body": 1.0}).tolist() == pytest.approx(
        (3 * fields["title"] + fields["body"]).tolist()
    )
    assert bm25.scores("bucket", {"title": 1.0, "nowhere": 5.0}).tolist() == fields["title"].tolist()


@pytest.mark.parametrize("query", ["", "?!", "unheard of"])
def test_a_query_that_nothing_matches_scores_nothing(query: str) -> None:
    assert not Bm25([{"title": "One"}, {"title": ""}]).scores(query, {"title": 1.0}).any()


def test_no_document_has_any_text() -> None:
    assert Bm25([{"title": ""}, {}]).scores("one", {"title": 1.0}).tolist() == [0, 0]
