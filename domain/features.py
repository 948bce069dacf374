"""What the networks read: features of items and histories, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.vectors import Array

Ids = NDArray[np.int64]

#: Characters of each text field of a candidate that a query is looked for in.
TEXT_READ: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class ItemFeatures:
    """What the item tower reads for n items."""

    #: ``[n, d]`` text vectors, unit length or zero; d is the encoder's dimension.
    text: Array
    #: ``[n, m]`` hashed categories, 0 = none.
    category_ids: Ids
    #: ``[n, m]`` weights of the categories, 0 where there is none.
    category_weights: Array
    #: ``[n, f]`` scaled numbers, 0 where missing; one column for each slot of the feature schema.
    numbers: Array
    #: ``[n, f]`` 1 where the number is known, else 0.
    known: Array


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """A person's last events, newest first; empty arrays for nobody."""

    #: ``[h, 128]`` item vectors.
    items: Array
    #: ``[h]`` weights by event type.
    weights: Array
    #: ``[h]`` log1p of the age in days: ages are scaled outside the network.
    ages: Array


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scorer's answer for n candidates; score = engine + weight x (relevance + gate x personal)."""

    #: ``[n]``
    relevance: Array
    #: One number for the request, 0 to 1.
    gate: float
    #: ``[n]``, exactly 0 without history.
    personal: Array
