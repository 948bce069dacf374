"""The text encoder of a bundle: texts to unit vectors, without TensorFlow or torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import BundleRefused
from domain.vectors import Array
from recommender.sessions import OnnxSession, missing_package

ENCODER_FILE: Final = "encoder.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
#: A batch holds at most this many texts and this many tokens, padding included.
BATCH_TEXTS: Final = 32
BATCH_TOKENS: Final = 4_096


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How the text encoder is run."""

    #: ``bootstrap``, or the name of the pretrained model.
    name: str
    #: Length of a text vector.
    dimension: int
    #: Longer texts are cut.
    max_tokens: int
    #: The id that stands for what the tokenizer does not know.
    unknown_id: int | None = None
    precision: str = "fp32"

    def to_document(self) -> dict[str, Any]:
        """The settings as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class OnnxTextEncoder:
    """Reads ``tokenizer.json`` and ``encoder.onnx`` of a folder.

    A text's vector does not depend on its neighbours in the batch (to 1e-5). A text without a token that the
    tokenizer knows gives zero.

    Args:
        folder: where the two files are.
        settings: how to run it.
        identity: hash of files and settings.
        threads: threads of one call.
    """

    def __init__(self, folder: Path, settings: EncoderSettings, identity: str, threads: int = 1) -> None:
        self.identity = identity
        self._session = OnnxSession(folder / ENCODER_FILE, threads)
        self.dimension = int(self._session.outputs["text_vector"][-1])
        self._unknown_id = settings.unknown_id
        self._tokenizer = open_tokenizer(folder / TOKENIZER_FILE)
        # What the file says about lengths is not what was trained.
        self._tokenizer.enable_truncation(max_length=settings.max_tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Array:
        """Unit vectors ``[n, dimension]``, zero for a text without known token."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        tokens = self.tokens(texts)
        lengths = list(map(len, tokens))
        rows = sorted((row for row, length in enumerate(lengths) if length), key=lengths.__getitem__)
        for batch in _batches(rows, lengths):
            ids, mask = _padded([tokens[row] for row in batch])
            vectors[batch] = self._session.run(input_ids=ids, attention_mask=mask)["text_vector"]
        return vectors

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; none for a text without a token that the tokenizer knows."""
        # One by one: the batch call starts threads of its own, which do not survive a fork.
        return [self._known(self._tokenizer.encode(_readable(text))) for text in texts]

    def _known(self, encoding: Any) -> list[int]:
        ids: list[int] = encoding.ids
        pairs = zip(ids, encoding.special_tokens_mask, strict=True)
        known = any(not special and token != self._unknown_id for token, special in pairs)
        return ids if known else []


def open_tokenizer(path: Path) -> Any:
    """The tokenizer of a ``tokenizer.json``.

    Raises:
        BundleRefused: the file is none.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise missing_package("tokenizers") from None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise BundleRefused(
            str(path), expected="a tokenizer.json", got=str(error)[:200], fix="Build the bundle anew."
        ) from error


def _readable(text: str) -> str:
    """The text as a tokenizer takes it: half characters, which a query may hold, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _batches(rows: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows, shortest first, in batches that waste little on padding."""
    batch: list[int] = []
    for row in rows:
        if batch and (len(batch) == BATCH_TEXTS or lengths[row] * (len(batch) + 1) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _padded(ids: Sequence[Sequence[int]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    width = max(map(len, ids))
    padded = np.zeros((len(ids), width), np.int64)
    mask = np.zeros((len(ids), width), np.int64)
    for row, one in enumerate(ids):
        padded[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return padded, mask
