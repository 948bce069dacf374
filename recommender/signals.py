"""Signals: what the scorer reads of a candidate beside its vector, computed alike in training and in serving."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from domain.search import Candidate
from domain.vectors import Array
from recommender.neighbour_file import NeighbourTables
from recommender.neighbours import SIGNALS as NEIGHBOUR_SIGNALS
from recommender.schema import FeatureSchema

#: The engine's score of the candidate, scaled to 0 to 1 within the answer.
ENGINE_SIGNALS: Final = ("engine.score",)
#: Shares, 0 to 1: of the query's words that are in the title; of the title's words that are in the query; of the
#: query's words that are in any text; and 1 where query and title are the same words.
QUERY_SIGNALS: Final = ("query.in_title", "query.of_title", "query.in_text", "query.is_title")
#: Computed for each request; every other name is a signal that the item brings along.
COMPUTED: Final = (*ENGINE_SIGNALS, *QUERY_SIGNALS, *NEIGHBOUR_SIGNALS)

_WORD = re.compile(r"[^\W_]+")


class SignalReader:
    """Computes the signals that a scorer was trained with, in its order.

    Args:
        names: of the columns: those of `COMPUTED`, and names of items' own signals.
        schema: which text field is the title.
        neighbours: of every tenant and kind.
    """

    def __init__(self, names: Sequence[str], schema: FeatureSchema, neighbours: NeighbourTables) -> None:
        self._names = tuple(names)
        self._schema = schema
        self._neighbours = neighbours

    def read(
        self, candidates: Sequence[Candidate], engine: Sequence[float], text: str = "", history: Sequence[str] = ()
    ) -> Array:
        """``[n, s]`` for n candidates of one tenant and kind; 0 where nothing is known.

        Args:
            candidates: in any order.
            engine: n engine scores, scaled to 0 to 1.
            text: the query, empty without.
            history: ids of the items of the same kind that the person acted upon.
        """
        found = np.zeros((len(candidates), len(self._names)), np.float32)
        if not candidates:
            return found
        columns: dict[str, Sequence[float] | Array] = {"engine.score": engine}
        if text and not set(QUERY_SIGNALS).isdisjoint(self._names):
            columns |= zip(QUERY_SIGNALS, self._overlaps(candidates, text).T, strict=True)
        if not set(NEIGHBOUR_SIGNALS).isdisjoint(self._names):
            columns |= zip(NEIGHBOUR_SIGNALS, self._neighbour_columns(candidates, history).T, strict=True)
        for column, name in enumerate(self._names):
            if name in columns:
                found[:, column] = columns[name]
            elif name not in COMPUTED:
                found[:, column] = [candidate.item.signals.get(name, 0.0) for candidate in candidates]
        return found

    def _overlaps(self, candidates: Sequence[Candidate], text: str) -> Array:
        wanted = words(text)
        title = self._schema.kind(candidates[0].item.key.kind).texts[0]
        rows = [overlap(wanted, candidate.item.texts, title) for candidate in candidates]
        return np.array(rows, np.float32)

    def _neighbour_columns(self, candidates: Sequence[Candidate], history: Sequence[str]) -> Array:
        key = candidates[0].item.key
        table = self._neighbours.of(key.tenant, key.kind)
        if table is None:
            return np.zeros((len(candidates), len(NEIGHBOUR_SIGNALS)), np.float32)
        return table.signals(history, [candidate.item.key.id for candidate in candidates])


def overlap(wanted: Sequence[str], texts: Mapping[str, str], title: str) -> tuple[float, float, float, float]:
    """The `QUERY_SIGNALS` of one item.

    Args:
        wanted: the query's words.
        texts: the item's, by field.
        title: the field that is the title.
    """
    if not wanted:
        return (0.0, 0.0, 0.0, 0.0)
    titled = words(texts.get(title, ""))
    anywhere = set(titled).union(*(words(text) for name, text in texts.items() if name != title))
    return (
        sum(word in titled for word in wanted) / len(wanted),
        sum(word in wanted for word in titled) / max(len(titled), 1),
        sum(word in anywhere for word in wanted) / len(wanted),
        float(wanted == titled),
    )


def words(text: str) -> list[str]:
    """Lower-case words without diacritics, as both engines split them, but not stemmed."""
    plain = unicodedata.normalize("NFKD", text.lower()) if not text.isascii() else text.lower()
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))
