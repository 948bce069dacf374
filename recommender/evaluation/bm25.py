"""BM25: the baseline of every search, over words as both engines split and stem them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import bm25s
import numpy as np

from domain.vectors import Array

#: What Lucene and SQLite take where nobody says anything.
SATURATION: Final = 1.2
LENGTH: Final = 0.75


class Bm25:
    """BM25 of each field on its own (Robertson and Zaragoza 2009, as Lucene counts it), summed with weights.

    Args:
        documents: texts by field; a field may be missing.
        saturation: k1, how soon more of the same word stop counting.
        length: b, how much long texts are held against themselves.
    """

    def __init__(
        self, documents: Sequence[Mapping[str, str]], saturation: float = SATURATION, length: float = LENGTH
    ) -> None:
        self.fields = tuple(dict.fromkeys(name for document in documents for name in document))
        self._count = len(documents)
        self._indexes = {}
        for name in self.fields:
            words = engine_words([document.get(name, "") for document in documents])
            if any(words):
                self._indexes[name] = bm25s.BM25(k1=saturation, b=length, method="lucene")
                self._indexes[name].index(words, show_progress=False)

    def by_field(self, queries: Sequence[str]) -> list[dict[str, Array]]:
        """For each query the scores ``[documents]`` of each field."""
        return [{name: self._scores(name, words) for name in self.fields} for words in engine_words(queries)]

    def scores(self, query: str, weights: Mapping[str, float]) -> Array:
        """``[documents]`` The weighted sum over the fields, as ``most_fields`` counts it.

        Args:
            query: any text.
            weights: by field; a field that is not named is not searched.
        """
        found = self.by_field([query])[0]
        return sum((weights[name] * found[name] for name in self.fields if name in weights), self._nothing())

    def _scores(self, name: str, words: list[str]) -> Array:
        if not words or name not in self._indexes:
            return self._nothing()
        return np.asarray(self._indexes[name].get_scores(words), np.float32)

    def _nothing(self) -> Array:
        return np.zeros(self._count, np.float32)


def engine_words(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text in order, split, folded and stemmed by the embedded engine's own tokenizer."""
    database = sqlite3.connect(":memory:")
    try:
        database.execute(
            "CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        database.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, 'instance')")
        database.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(texts))
        found: list[list[str]] = [[] for _ in texts]
        for row, word in database.execute('SELECT doc, term FROM words ORDER BY doc, "offset"'):
            found[row].append(word)
        return found
    finally:
        database.close()
