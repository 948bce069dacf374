"""Folding of letters that no accent is part of, as OpenSearch's `asciifolding` folds them; FTS5 folds accents only."""

from __future__ import annotations

from typing import Final

#: Letter and what it is searched as; letters of Latin scripts that Unicode does not take apart.
_LETTERS: Final = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ð": "d", "Ð": "D",
        "đ": "d", "Đ": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L", "ı": "i", "ħ": "h", "Ħ": "H", "ŧ": "t",  # noqa: RUF001
        "Ŧ": "T", "ŋ": "n", "Ŋ": "N",
    }
)  # fmt: skip


def folded(text: str) -> str:
    """The text with these letters written in plain ones."""
    return text if text.isascii() else text.translate(_LETTERS)
