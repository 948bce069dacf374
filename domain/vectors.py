"""Vectors: unit vectors of 128 float32, and how they travel."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidItem

#: float32 of any shape; docstrings give the shape.
Array = NDArray[np.float32]
#: Dimensions of every item, user and query vector.
DIMENSIONS: Final = 128


def unit(vectors: Array) -> Array:
    """The vectors scaled to length 1; a zero vector stays zero.

    Args:
        vectors: ``[..., d]``.
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def to_base64(vector: Array) -> str:
    """Little-endian float32 bytes as base64: a third of JSON's size and exact."""
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode("ascii")


def from_base64(text: str) -> Array:
    """The vector that `to_base64` wrote.

    Raises:
        InvalidItem: not base64 of 128 float32 values.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 4 * DIMENSIONS:
        raise InvalidItem(
            "stored vector",
            expected=f"base64 of {DIMENSIONS} float32 values",
            got=f"{len(raw)} bytes",
            fix="Rebuild the generation.",
        )
    return np.frombuffer(raw, dtype="<f4").astype(np.float32)
