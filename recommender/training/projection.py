"""The projection of bundle zero: weighted blocks of features, brought to 128 dimensions by a fixed matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.features import ItemFeatures
from domain.vectors import DIMENSIONS, Array, unit

#: Shares of text, categories and numbers in the similarity of two items that have all three.
TEXT_SHARE: Final = 0.4
CATEGORY_SHARE: Final = 0.4
NUMBER_SHARE: Final = 0.2
#: Scaled numbers this far apart (in interquartile ranges) or farther count as opposite.
FARTHEST: Final = 4.0
#: A category counts when at least this many items of the sample have it; a small sample asks for two.
ENOUGH_ITEMS: Final = 5
SMALL_SAMPLE: Final = 100
#: The sample must have this many items for each direction that is learnt from it.
ITEMS_OF_A_DIRECTION: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A linear map of the blocks that keeps their inner products as well as 128 dimensions can."""

    #: ``[d, 128]``
    text: Array
    #: ``[buckets + 1]`` square root of each bucket's self-information, 0 where it was seen too rarely.
    bucket_weights: Array
    #: ``[buckets + 1, 128]``
    category: Array
    #: ``[2 f, 128]``: cosines of all slots, then sines.
    number: Array

    def embed(self, features: ItemFeatures) -> Array:
        """Unit vectors ``[n, 128]``; the network must agree with this.

        An item of which nothing is known gets the last axis, which is nearly orthogonal to everything.
        """
        text, categories, numbers = blocks(features, self.bucket_weights)
        used = np.flatnonzero(self.bucket_weights)
        sums = text @ self.text + categories @ self.category[used] + numbers @ self.number
        sums[~sums.any(axis=1), -1] = 1
        return unit(sums)


def blocks(features: ItemFeatures, weights: Array) -> tuple[Array, Array, Array]:
    """The three blocks ``[n, d]``, ``[n, c]``, ``[n, 2 f]``: unit length times the root of their share.

    The c columns of categories are the buckets that weigh anything, in order.

    Inner products of category blocks sum the self-information of shared values. A number is the point of a
    circle at its scaled value: cos(a) cos(b) + sin(a) sin(b) = cos(a - b) is greatest where they are equal.
    A missing block is zero.
    """
    rows = np.arange(len(features.text))[:, np.newaxis]
    column = np.cumsum(weights > 0) * (weights > 0)
    dense = np.zeros((len(features.text), 1 + int(column.max())), np.float32)
    np.add.at(dense, (rows, column[features.category_ids]), features.category_weights * weights[features.category_ids])
    angles = np.clip(features.numbers, -FARTHEST / 2, FARTHEST / 2) * (np.pi / FARTHEST)
    circles = np.concatenate([np.cos(angles) * features.known, np.sin(angles) * features.known], axis=1)
    return (
        np.float32(np.sqrt(TEXT_SHARE)) * features.text,
        np.float32(np.sqrt(CATEGORY_SHARE)) * unit(dense[:, 1:]),
        np.float32(np.sqrt(NUMBER_SHARE)) * unit(circles.astype(np.float32)),
    )


def bucket_weights(features: ItemFeatures, kinds: Sequence[str], buckets: int) -> Array:
    """sqrt(-log p) by bucket ``[buckets + 1]``, p the greatest share of a kind's items that have it.

    Buckets of fewer than five items (two in a sample below a hundred) weigh nothing: what one item has alone
    makes nothing similar. What all items have says nothing either.
    """
    names, groups, sizes = np.unique(np.array(kinds), return_inverse=True, return_counts=True)
    counts = np.zeros((len(names), buckets + 1))
    held = features.category_weights > 0
    rows = np.broadcast_to(groups[:, np.newaxis], held.shape)
    np.add.at(counts, (rows[held], features.category_ids[held]), 1)
    enough = ENOUGH_ITEMS if len(kinds) >= SMALL_SAMPLE else 2
    share = (counts / sizes[:, np.newaxis]).max(axis=0)
    seen = (counts.sum(axis=0) >= enough) & (share > 0)
    seen[0] = False
    return np.asarray(np.sqrt(-np.log(np.where(seen, share, 1.0))), np.float32)


def fit_projection(features: ItemFeatures, kinds: Sequence[str], buckets: int, seed: int = 0) -> Projection:
    """The best linear map for this sample: the right singular vectors of its blocks, kinds weighing the same.

    By Eckart and Young (1936) no other 128 dimensions keep the inner products of the sample better. Directions
    that a small sample cannot teach are filled up with random ones, so that new texts and values still differ.

    Args:
        features: of n items.
        kinds: the kind of each.
        buckets: of the feature schema.
        seed: of the randomised decomposition.
    """
    weights = bucket_weights(features, kinds, buckets)
    used = np.flatnonzero(weights)
    text, categories, numbers = blocks(features, weights)
    matrix = np.concatenate([text, categories, numbers], axis=1)
    names, groups, sizes = np.unique(np.array(kinds), return_inverse=True, return_counts=True)
    matrix /= np.sqrt(sizes * len(names))[groups][:, np.newaxis]
    basis = _directions(matrix, np.random.default_rng(seed))
    category = np.zeros((buckets + 1, DIMENSIONS), np.float32)
    category[used] = basis[text.shape[1] : text.shape[1] + len(used)]
    number = basis[text.shape[1] + len(used) :]
    return Projection(basis[: text.shape[1]].copy(), weights, category, number.copy())


def _directions(matrix: Array, rng: np.random.Generator) -> Array:
    """Orthonormal directions ``[columns, 128]``: singular vectors first, random ones after.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011, SIAM Review 53, algorithm 4.4).
    """
    wanted = min(DIMENSIONS, len(matrix) // ITEMS_OF_A_DIRECTION, matrix.shape[1])
    found = _singular_vectors(matrix, wanted, rng) if wanted else np.zeros((matrix.shape[1], 0), np.float32)
    filler = rng.standard_normal((matrix.shape[1], DIMENSIONS - found.shape[1]), dtype=np.float32)
    orthonormal = np.linalg.qr(np.concatenate([found, filler], axis=1))[0]
    basis = np.zeros((matrix.shape[1], DIMENSIONS), np.float32)
    basis[:, : orthonormal.shape[1]] = orthonormal
    basis[:, : found.shape[1]] = found
    return basis


def _singular_vectors(matrix: Array, wanted: int, rng: np.random.Generator) -> Array:
    """The leading right singular vectors ``[columns, <= wanted]``."""
    subspace = rng.standard_normal((matrix.shape[1], min(wanted + 32, matrix.shape[1])), dtype=np.float32)
    for _ in range(6):
        subspace = np.linalg.qr(matrix.T @ (matrix @ subspace))[0]
    _, lengths, rotation = np.linalg.svd(matrix @ subspace, full_matrices=False)
    kept = min(wanted, int((lengths > 1e-5 * lengths[0]).sum()))
    return _signed(subspace @ rotation[:kept].T)


def _signed(directions: Array) -> Array:
    """The greatest entry of each direction positive: a decomposition leaves signs open."""
    greatest = np.abs(directions).argmax(axis=0)
    return np.asarray(directions * np.sign(directions[greatest, np.arange(directions.shape[1])]), np.float32)
