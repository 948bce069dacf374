"""Words: how well a query's words and letters are found in an item's title and texts, beside any engine."""

from __future__ import annotations

import io
import math
import re
import threading
import unicodedata
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from domain.errors import BundleRefused
from domain.features import TEXT_READ
from domain.items import Item, ItemKey
from domain.search import Candidate
from domain.vectors import Array

WORDS_FILE: Final = "words.npz"
#: Shares of 0 to 1: of the query's words in the title, of the title's words in the query, of the query's words in any
#: text, a word counting by how rare it is; of the query's runs of three letters in the title, and the reverse, blanks
#: left out; and the logarithms of how many words query and title have.
QUERY_SIGNALS: Final = (
    "query.in_title",
    "query.of_title",
    "query.in_text",
    "query.letters_in_title",
    "query.letters_of_title",
    "query.words",
    "query.title_words",
)
#: Words of a query that are read.
LONGEST_QUERY: Final = 32
BUCKETS: Final = 1 << 17
#: Readings of items kept in memory, some kilobytes each.
READINGS_KEPT: Final = 10_000

_WORD = re.compile(r"[^\W_]+")


class _Reading(NamedTuple):
    """One item's texts as queries are looked for in them."""

    #: Stems of the title's words, and what each weighs.
    title: tuple[tuple[str, float], ...]
    stems: frozenset[str]
    #: What the title's words weigh together.
    total: float
    #: Runs of three letters of the title.
    runs: frozenset[str]
    #: The words of all texts, each between blanks.
    words: str


class QueryWords:
    """Looks for queries in items; remembers the items it read last. Safe for several threads.

    Args:
        weights: ``[BUCKETS]`` by hashed stem, from `count_words`.
        kept: how many items to remember.
    """

    def __init__(self, weights: Array, kept: int = READINGS_KEPT) -> None:
        self.weights = weights
        self._kept = kept
        self._readings: OrderedDict[tuple[ItemKey, int], _Reading] = OrderedDict()
        self._lock = threading.Lock()

    def columns(self, text: str, candidates: Sequence[Candidate], title: str) -> Array:
        """``[n, 7]`` the `QUERY_SIGNALS` of n candidates; zeros for a query without a word.

        Args:
            text: the query.
            candidates: of one kind.
            title: the text field that is the title.
        """
        words = split_words(text)[:LONGEST_QUERY]
        if not words:
            return np.zeros((len(candidates), len(QUERY_SIGNALS)), np.float32)
        stems = {stem: self._weight(stem) for stem in map(stem_of, words)}
        forms = [(stem, weight, [f" {form} " for form in _forms(stem)]) for stem, weight in stems.items()]
        runs, total, count = _runs("".join(words)), sum(stems.values()), math.log1p(len(words))
        rows = []
        for item in self._read(candidates, title):
            in_title = of_title = in_text = 0.0
            for stem, weight, some in forms:
                if stem in item.stems:
                    in_title += weight
                    in_text += weight
                    continue
                for form in some:
                    if form in item.words:
                        in_text += weight
                        break
            if in_title:
                of_title = sum(weight for stem, weight in item.title if stem in stems) / item.total
            both = len(runs & item.runs)
            shares = (in_title / total, of_title, in_text / total, both / len(runs), both / max(len(item.runs), 1))
            rows.append((*shares, count, math.log1p(len(item.title))))
        return np.array(rows, np.float32).reshape(-1, len(QUERY_SIGNALS))

    def _read(self, candidates: Sequence[Candidate], title: str) -> list[_Reading]:
        keys = [(candidate.item.key, candidate.version) for candidate in candidates]
        with self._lock:
            found = {key: self._readings[key] for key in keys if key in self._readings}
            for key in found:
                self._readings.move_to_end(key)
        fresh = {
            key: self._reading(candidate.item, title)
            for key, candidate in zip(keys, candidates, strict=True)
            if key not in found
        }
        with self._lock:
            self._readings.update(fresh)
            while len(self._readings) > self._kept:
                self._readings.popitem(last=False)
        found |= fresh
        return [found[key] for key in keys]

    def _reading(self, item: Item, title: str) -> _Reading:
        words = split_words(item.texts.get(title, "")[:TEXT_READ])
        stems = tuple((stem, self._weight(stem)) for stem in map(stem_of, words))
        return _Reading(
            title=stems,
            stems=frozenset(stem for stem, _ in stems),
            total=sum(weight for _, weight in stems),
            runs=frozenset(_runs("".join(words))),
            words=f" {' '.join(split_words(_read_text(item)))} ",
        )

    def _weight(self, stem: str) -> float:
        return float(self.weights[_bucket(stem)])


def count_words(items: Iterable[Item]) -> Array:
    """``[BUCKETS]`` What a stem weighs, found in d of n items: log(1 + (n - d + 0.5) / (d + 0.5))."""
    counts = np.zeros(BUCKETS, np.int64)
    number = 0
    for item in items:
        number += 1
        counts[list({_bucket(stem_of(word)) for word in split_words(_read_text(item))})] += 1
    return np.log1p((number - counts + 0.5) / (counts + 0.5)).astype(np.float32)


def write_words(path: Path, weights: Array) -> None:
    """Write the weights; the same weights give the same bytes."""
    np.savez_compressed(path, allow_pickle=False, weights=weights)


def read_words(path: Path) -> QueryWords:
    """The weights that `write_words` wrote.

    Raises:
        BundleRefused: the file is missing or damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            weights = file["weights"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        got = f"{type(error).__name__}: {error}"[:120]
        raise BundleRefused(
            str(path), expected="a words file", got=got, fix="Copy it again, or train again."
        ) from error
    return QueryWords(weights)


def split_words(text: str) -> list[str]:
    """Runs of letters and digits in lower case without diacritics, as both engines split them."""
    lower = text.lower()
    if not lower.isascii():
        lower = "".join(sign for sign in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(sign))
    return _WORD.findall(lower)


def stem_of(word: str) -> str:
    """The word without the ending of an English plural (Harman, JASIS 1991: the S stemmer, two rules of three)."""
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word


def _forms(stem: str) -> tuple[str, ...]:
    """The words that have this stem."""
    return tuple(form for form in (stem, f"{stem}s", f"{stem[:-1]}ies") if stem_of(form) == stem)


def _runs(letters: str) -> set[str]:
    """Runs of three letters, a blank standing before the first and after the last."""
    ended = f" {letters} "
    return {ended[start : start + 3] for start in range(len(ended) - 2)}


def _read_text(item: Item) -> str:
    return "\n".join(text[:TEXT_READ] for text in item.texts.values())


def _bucket(stem: str) -> int:
    return zlib.crc32(stem.encode("utf-8", "surrogatepass")) % BUCKETS
