"""Taste: training cases made of histories, what each person is shown to like and what is hidden from the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.vectors import DIMENSIONS, Array
from recommender.evaluation.splits import fold, hide_share, id_hash
from recommender.neighbours import SIGNALS, Interactions, Neighbours, cross_fitted

#: Share of a person's items that the networks are asked for.
HIDDEN_SHARE: Final = 0.2
#: Nobody's own events are in the neighbours that they are trained with.
FOLDS: Final = 5
#: Share of people that tell when to stop.
VALIDATION_PERCENT: Final = 10
#: How often each of them is asked: the mean of few answers is too noisy to stop by.
ASKED: Final = 3
#: A candidate loses its neighbours this often, so that items without any are learnt about as well.
NEIGHBOUR_DROPOUT: Final = 0.3
#: Candidates of a case: what is wanted, the strongest of the others, and a sample of the rest.
WANTED: Final = 40
STRONGEST: Final = 120
CANDIDATES: Final = 400

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """What each person did with the items of one tenant and kind, and the items' vectors."""

    #: ``[items]`` the host's ids.
    ids: tuple[str, ...]
    #: ``[items, 128]`` in the frozen space.
    vectors: Array
    #: Names of the people, in order.
    names: tuple[str, ...]
    #: For each person the distinct rows of their items, newest first.
    rows: tuple[tuple[int, ...], ...]
    #: For each person the weights and ages of the same rows, as the user tower reads them.
    events: tuple[tuple[Array, Array], ...]

    def pairs(self) -> Interactions:
        """Who had to do with what."""
        return Interactions.of(self.rows, len(self.ids))


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """People's questions: c people, n candidates each, with everything that the networks read."""

    #: ``[c, h, 128]`` item vectors of the histories, zero rows at the end.
    items: Array
    #: ``[c, h]`` weights by event type, 0 for the zero rows.
    weights: Array
    #: ``[c, h]``
    ages: Array
    #: ``[c, n]`` rows of the candidates.
    candidates: Whole
    #: ``[c, n, 7]`` neighbour signals.
    signals: Array
    #: ``[c, n]`` what a candidate's logit is raised by, for those that it stands for (logQ; minus 1e9 = no candidate).
    logq: Array
    #: ``[c, n]`` shares of the wanted candidates; rows sum to 1.
    shares: Array

    def batch(self, rows: Any) -> tuple[Any, ...]:
        """Every array of these cases."""
        return tuple(getattr(self, name)[rows] for name in self.__slots__)

    @classmethod
    def joined(cls, parts: Sequence[Cases], offsets: Sequence[int] | Whole) -> Cases:
        """The cases of several catalogues as those of one, whose rows begin at these offsets."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__}
        shifted = [part.candidates + offset for part, offset in zip(parts, offsets, strict=False)]
        return cls(**arrays | {"candidates": np.concatenate(shifted)})


class CaseMaker:
    """Makes new cases for each epoch: other items hidden, other candidates drawn.

    Args:
        people: who to ask about.
        longest: events of a history that the user tower reads.
        seed: makes a run repeatable.
        settings: of the neighbours.
    """

    def __init__(self, people: People, longest: int, seed: int, **settings: Any) -> None:
        self.people = people
        self._longest = longest
        self._seed = seed
        folds = [fold(name, FOLDS) for name in people.names]
        fitted = cross_fitted(people.ids, people.pairs(), folds, **settings)
        self._neighbours = [fitted[number] for number in folds]
        asked = [row for row, items in enumerate(people.rows) if len(items) > 1]
        late = {row for row in asked if id_hash("validation", people.names[row]) % 100 < VALIDATION_PERCENT}
        if asked and not late:  # somebody has to say when it is enough
            late = {min(asked, key=lambda row: id_hash("validation", people.names[row]))}
        self._train = [row for row in asked if row not in late]
        self._late = [row for row in asked if row in late]

    def train(self, epoch: int) -> Cases:
        """Cases of this epoch; the same epoch gives the same ones."""
        rng = np.random.default_rng([self._seed, epoch])
        return self._cases(self._train, f"epoch {epoch}", rng)

    def validation(self) -> Cases:
        """Cases of the people that are never trained on, each asked `ASKED` times."""
        rng = np.random.default_rng([self._seed, 1 << 20])
        parts = [self._cases(self._late, f"validation {number}", rng) for number in range(ASKED)]
        return Cases.joined(parts, [0] * ASKED)

    def _cases(self, chosen: Sequence[int], salt: str, rng: np.random.Generator) -> Cases:
        count = len(chosen)
        room = CANDIDATES
        items = np.zeros((count, self._longest, DIMENSIONS), np.float32)
        weights, ages = np.zeros((2, count, self._longest), np.float32)
        signals = np.zeros((count, room, len(SIGNALS)), np.float32)
        candidates = np.zeros((count, room), np.int64)
        logq, shares = np.zeros((2, count, room), np.float32)
        for case, person in enumerate(chosen):
            places = range(len(self.people.rows[person]))
            shown, hidden = hide_share(self.people.names[person], places, HIDDEN_SHARE, salt)
            rows = self.people.rows[person]
            # What serving reads of a person, for the signals too.
            kept = sorted(shown)[: self._longest]
            items[case, : len(kept)] = self.people.vectors[[rows[one] for one in kept]]
            weights[case, : len(kept)], ages[case, : len(kept)] = (one[kept] for one in self.people.events[person])
            columns = self._columns(self._neighbours[person], [rows[one] for one in kept], rng)
            wanted = rng.permutation([rows[one] for one in hidden])[:WANTED]
            candidates[case], logq[case] = _draw(columns[:, 0], rows, wanted, room, rng)
            signals[case] = columns[candidates[case]]
            shares[case, : len(wanted)] = 1 / len(wanted)
        return Cases(items, weights, ages, candidates, signals, logq, shares)

    @staticmethod
    def _columns(neighbours: Neighbours, shown: Sequence[int], rng: np.random.Generator) -> Array:
        columns = neighbours.columns(shown)
        dropped = rng.random(len(columns)) < NEIGHBOUR_DROPOUT
        columns[dropped, :-1] = 0
        return columns


def _draw(
    strength: Array, known: Sequence[int], wanted: Whole, room: int, rng: np.random.Generator
) -> tuple[Whole, Array]:
    """Candidates ``[room]``, the wanted ones first, and what each stands for (`Cases.logq`).

    The sampled ones stand for all the rest: their logits are raised by the log of how many each of them stands for,
    which makes the softmax an estimate of that over all items (Yi et al., RecSys 2019: logQ correction).
    """
    left = np.ones(len(strength), bool)
    left[list(known)] = False
    others = np.flatnonzero(left)
    order = others[np.argsort(-strength[others], kind="stable")]
    strongest, rest = order[:STRONGEST], order[STRONGEST:]
    sample = rng.permutation(rest)[: max(room - len(wanted) - len(strongest), 0)]
    chosen = np.concatenate([wanted, strongest, sample])[:room]
    raised = np.zeros(room, np.float32)
    if len(sample):
        raised[len(wanted) + len(strongest) :] = np.log(len(rest) / len(sample))
    raised[len(chosen) :] = -1e9
    return np.pad(chosen, (0, room - len(chosen))), raised
