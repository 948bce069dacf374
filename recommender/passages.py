"""Passages: an item's texts as the title and up to eight stretches that a text encoder can read whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest

#: A word, or one character of a script that writes without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])\s*|\n")


def item_passages(texts: Mapping[str, str], fields: Sequence[str], words: int, limit: int) -> tuple[str, ...]:
    """The title (empty when missing), then at most `limit` passages of the other fields.

    Every field's first passage comes before any field's second one, so that a long field starves no other.

    Args:
        texts: the item's texts by field name.
        fields: the text fields, heaviest first; the first is the title.
        words: greatest length of a passage.
        limit: how many passages at most, the title not counted.
    """
    title, *others = fields
    columns = [split_passages(texts.get(name, ""), words) for name in others]
    rows = chain.from_iterable(zip_longest(*columns))
    return (texts.get(title, "").strip(), *islice((passage for passage in rows if passage), limit))


def split_passages(text: str, words: int) -> list[str]:
    """The whole text in stretches of at most `words` words, cut between paragraphs, else sentences, else words."""
    if _is_short(text, words):
        return [text.strip()] if _WORD.search(text) else []
    passages: list[str] = []
    open_parts: list[str] = []
    room = words
    for part, length in _parts(text, words):
        if length > room and open_parts:
            passages.append("\n".join(open_parts))
            open_parts, room = [], words
        open_parts.append(part)
        room -= length
    return [*passages, "\n".join(open_parts)] if open_parts else passages


def count_words(text: str) -> int:
    """How many words; a Chinese or Japanese character counts as one."""
    return len(_WORD.findall(text))


def _is_short(text: str, words: int) -> bool:
    """Whether it is one paragraph that fits, told without counting: most fields of most items are."""
    # In ASCII two words have something between them.
    most = (len(text) + 1) // 2 if text.isascii() else len(text)
    return most <= words and "\n" not in text


def _parts(text: str, words: int) -> Iterator[tuple[str, int]]:
    """Paragraphs that fit, sentences of those that do not, cuts of sentences that do not, with their lengths."""
    for paragraph in _PARAGRAPH.split(text):
        length = count_words(paragraph)
        if 0 < length <= words:
            yield paragraph.strip(), length
        elif length:
            for sentence in _SENTENCE.split(paragraph):
                yield from _cuts(sentence, words)


def _cuts(sentence: str, words: int) -> Iterator[tuple[str, int]]:
    starts = [match.start() for match in _WORD.finditer(sentence)]
    for first in range(0, len(starts), words):
        end = starts[first + words] if first + words < len(starts) else len(sentence)
        yield sentence[0 if first == 0 else starts[first] : end].strip(), min(words, len(starts) - first)
