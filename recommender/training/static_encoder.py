"""The static encoder: a text is the mean of its tokens' vectors, whatever their order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.vectors import Array
from recommender.text_encoder import ENCODER_FILE, TOKENIZER_FILE, EncoderSettings
from recommender.training.export import export_network
from recommender.training.frameworks import load_tensorflow

#: sentence-transformers' `StaticEmbedding` reads this file beside tokenizer.json.
WEIGHTS_FILE: Final = "model.safetensors"
MAX_TOKENS: Final = 512
UNKNOWN_ID: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class StaticEncoder:
    """A tokenizer and one vector for each of its tokens."""

    tokenizer: Any
    #: ``[tokens, d]``; zero for padding and unknown.
    weights: Array

    def save(self, folder: Path) -> EncoderSettings:
        """Write tokenizer, network and weights into the folder; the network is opened and compared.

        The folder can be read by sentence-transformers' ``StaticEmbedding.load`` too.
        """
        self.tokenizer.save(str(folder / TOKENIZER_FILE))
        write_safetensors(folder / WEIGHTS_FILE, "embedding.weight", self.weights)
        self._export(folder / ENCODER_FILE)
        return EncoderSettings("bootstrap", self.weights.shape[1], MAX_TOKENS, UNKNOWN_ID)

    def _export(self, path: Path) -> None:
        tf = load_tensorflow()
        weights = self.weights  # NumPy, so that tracing makes it a constant; a tensor would become an input

        def encode(input_ids: Any, attention_mask: Any) -> dict[str, Any]:
            mask = tf.cast(attention_mask, tf.float32)[:, :, tf.newaxis]
            total = tf.reduce_sum(tf.gather(weights, input_ids) * mask, axis=1)
            length = tf.sqrt(tf.reduce_sum(total * total, axis=1, keepdims=True))
            return {"text_vector": total / tf.maximum(length, 1e-12)}

        signature = {"input_ids": ((None, None), "int64"), "attention_mask": ((None, None), "int64")}
        rng = np.random.default_rng(0)
        ids = rng.integers(0, len(self.weights), (3, 7))
        mask = (np.arange(7) < np.array([[7], [4], [1]])).astype(np.int64)
        export_network(encode, signature, path, [{"input_ids": ids, "attention_mask": mask}])


def write_safetensors(path: Path, name: str, array: Array) -> None:
    """One tensor as a safetensors file: length of the header, header as JSON, little-endian numbers.

    Source: https://github.com/huggingface/safetensors, "Format".
    """
    raw = np.ascontiguousarray(array, "<f4").tobytes()
    entry = {name: {"dtype": "F32", "shape": list(array.shape), "data_offsets": [0, len(raw)]}}
    header = json.dumps(entry, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw)
