from __future__ import annotations

import random

import pytest

from recommender.passages import count_words, item_passages, split_passages


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def test_the_title_comes_first_and_is_empty_when_missing() -> None:
    assert item_passages({"body": "Text.", "title": " Name "}, ("title", "body"), 10, 8) == ("Name", "Text.")
    assert item_passages({"body": "Text."}, ("title", "body"), 10, 8) == ("", "Text.")
    assert item_passages({}, ("title", "body"), 10, 8) == ("",)


def test_a_text_that_fits_stays_whole() -> None:
    assert split_passages("One.\n\nTwo. Three.", 3) == ["One.\nTwo. Three."]


def test_cuts_fall_between_paragraphs_first() -> None:
    text = f"{words(6, 'first')}\n\n{words(6, 'second')}"
    assert split_passages(text, 10) == [words(6, "first"), words(6, "second")]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    text = f"{words(6, 'one')}. {words(6, 'two')}! {words(3, 'three')}."
    assert split_passages(text, 10) == [f"{words(6, 'one')}.", f"{words(6, 'two')}!\n{words(3, 'three')}."]


def test_a_long_sentence_is_cut_between_words() -> None:
    assert split_passages(words(25), 10) == [words(10), words(10), words(5)]


def test_a_script_without_spaces_is_cut_by_characters_and_sentences() -> None:
    assert count_words("車を買う。") == 4
    assert split_passages("車を買う。家を売る。", 4) == ["車を買う。", "家を売る。"]


@pytest.mark.parametrize("seed", range(5))
def test_no_word_is_lost_and_no_passage_too_long(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choice(("alpha ", "beta, ", "gamma. ", "delta\n", "\n\n", "42! ", "... ")) for _ in range(600))
    passages = split_passages(text, 17)
    assert [word for passage in passages for word in passage.split() if count_words(word)] == [
        word for word in text.split() if count_words(word)
    ]
    assert max(map(count_words, passages)) <= 17


def test_every_field_has_its_first_passage_before_any_has_its_second() -> None:
    texts = {"title": "T", "long": words(30, "long"), "short": "short"}
    found = item_passages(texts, ("title", "long", "short"), 10, 8)
    assert found == ("T", words(10, "long"), "short", words(10, "long"), words(10, "long"))
    assert item_passages(texts, ("title", "long", "short"), 10, 2) == found[:3]


def test_whitespace_is_no_passage() -> None:
    assert split_passages(" \n\n . \n", 10) == []


@pytest.mark.parametrize(
    "text", ["one two", "a-b c_d", "x" * 20, "  spaced  out ", "...", "", "車を買う", "é è ê", "a\tb"]
)
@pytest.mark.parametrize("words", [1, 2, 3, 5, 40])
def test_a_short_text_is_split_like_a_longer_one(text: str, words: int) -> None:
    # A paragraph of its own in front makes the text one that is counted; too long to share a passage with another.
    first = " ".join(["head"] * words)
    assert split_passages(f"{first}\n\n{text}", words) == [first, *split_passages(text, words)]
