"""Queries are looked for in titles and texts by word and by letters, alike for one item and for many."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from domain.errors import BundleRefused
from domain.features import TEXT_READ
from domain.items import Item, ItemKey
from domain.search import Candidate, Scope
from recommender.words import (
    LONGEST_QUERY,
    QUERY_SIGNALS,
    QueryWords,
    count_words,
    read_words,
    split_words,
    stem_of,
    write_words,
)
from rerank_service.vector_block import VectorBlock

TITLES = ("Toy Story", "Spider-Man", "The Cities", "A toy")


def candidate(title: str, text: str = "", number: int = 0) -> Candidate:
    return Candidate(
        Item(ItemKey("t", "movie", f"m{number}-{title[:20]}"), 1, texts={"title": title, "text": text}), 0.0, 4
    )


def found(text: str, *given: Candidate, words: QueryWords | None = None) -> dict[str, list[float]]:
    words = words or QueryWords(np.ones(1 << 17, np.float32))
    columns = words.columns(text, given, "title")
    return dict(zip(QUERY_SIGNALS, columns.T.tolist(), strict=True))


def test_words_of_query_title_and_text_are_shares() -> None:
    columns = found("toy story heroes", candidate("Toy Story 3"), candidate("Heroes", "toys with a hero's story"))
    assert columns["query.in_title"] == pytest.approx([2 / 3, 1 / 3])
    assert columns["query.of_title"] == pytest.approx([2 / 3, 1])
    assert columns["query.in_text"] == pytest.approx([2 / 3, 1])
    assert columns["query.words"] == pytest.approx([math.log(1 + 3)] * 2)
    assert columns["query.title_words"] == pytest.approx([math.log(1 + 3), math.log(1 + 1)])


def test_letters_see_through_blanks() -> None:
    same, other = found("spiderman", candidate("Spider-Man"), candidate("Iron"))["query.letters_in_title"]
    assert (same, other) == (1, 0)
    # " to toy oy " of " to toy oys yst sto tor ory ry ".
    assert found("toy", candidate("Toy Story"))["query.letters_of_title"] == pytest.approx([2 / 8])


def test_rare_words_count_more() -> None:
    items = [candidate(title).item for title in TITLES]
    words = QueryWords(count_words(items))
    rare, common = math.log(1 + 3.5 / 1.5), math.log(1 + 2.5 / 2.5)
    assert found("toy story", candidate("A toy"), words=words)["query.in_title"] == pytest.approx(
        [common / (common + rare)]
    )


@pytest.mark.parametrize(
    ("word", "stem"), [("toys", "toy"), ("cities", "city"), ("glass", "glass"), ("bus", "bus"), ("gas", "gas")]
)
def test_plurals_are_one_with_their_singular(word: str, stem: str) -> None:
    assert stem_of(word) == stem
    assert found(stem, candidate("x", word))["query.in_text"] == [1]


def test_words_are_folded_and_long_texts_and_queries_cut() -> None:
    assert split_words("Amélie_2: ÜBER-Äpfel") == ["amelie", "2", "uber", "apfel"]
    assert found("end", candidate("x", "a " * TEXT_READ + "end"))["query.in_text"] == [0]
    assert found("toy " * (LONGEST_QUERY + 5), candidate("Toy"))["query.words"] == pytest.approx(
        [math.log(1 + LONGEST_QUERY)]
    )


@pytest.mark.parametrize("text", ["", " ?! ", "__"])
def test_a_query_without_a_word_is_found_nowhere(text: str) -> None:
    assert not any(any(column) for column in found(text, candidate("Toy")).values())


def test_an_item_without_a_title_is_no_error() -> None:
    assert found("toy", candidate(""))["query.of_title"] == [0]


def test_a_batch_equals_singles_and_what_is_remembered_is_the_same() -> None:
    words = QueryWords(count_words(candidate(title).item for title in TITLES), kept=2)
    given = [candidate(title, "some toys", number) for number, title in enumerate(TITLES)]
    batch = words.columns("a toy", given, "title")
    for _ in range(2):
        for row, one in enumerate(given):
            np.testing.assert_array_equal(words.columns("a toy", [one], "title")[0], batch[row])


def test_candidates_that_were_kept_give_what_whole_ones_give() -> None:
    scope, place = Scope("t"), ("g1", "space", "t")
    whole = candidate("Toy Story " * 60, "heroes and toys " * 60)
    block = VectorBlock(2)
    block.keep(place, scope, {"m": whole})
    [kept] = block.read(place, scope, ["m"])[0].candidates
    assert kept is not None
    assert kept.item.texts != whole.item.texts
    for text in ("toy story", "heroes", "andromeda"):
        # Each looked at for the first time.
        assert found(text, kept) == found(text, whole)


def test_the_file_keeps_every_number(tmp_path: Path) -> None:
    weights = count_words(candidate(title).item for title in TITLES)
    for name in ("a.npz", "b.npz"):
        write_words(tmp_path / name, weights)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    np.testing.assert_array_equal(read_words(tmp_path / "a.npz").weights, weights)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "words.npz").write_bytes(content)
    with pytest.raises(BundleRefused, match="words file"):
        read_words(tmp_path / "words.npz")
