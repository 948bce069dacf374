"""The training frameworks: TensorFlow, quiet and on few threads; torch; or what to install."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from domain.errors import ConfigurationError

#: Threads of one operation; training shares the machine with what it serves.
THREADS = 2


def load_tensorflow() -> Any:
    """The tensorflow module, silenced and limited in threads, its random numbers repeatable.

    Raises:
        ConfigurationError: it or tf2onnx is not installed.
    """
    for name in ("tensorflow", "tf2onnx"):
        _require(name, "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # TensorFlow brings an SQLite of its own without full-text search; the first one loaded serves the process.
    import sqlite3  # noqa: F401

    import tensorflow as tf

    # Threads can be set only before the first operation; later calls find them as they are.
    if not tf.config.threading.get_intra_op_parallelism_threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(THREADS)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            pass
    return tf


def require_torch() -> None:
    """Make sure that a pretrained encoder can be exported.

    Raises:
        ConfigurationError: torch or sentence-transformers is not installed.
    """
    for name in ("torch", "sentence_transformers", "onnxruntime"):
        _require(name, "text")


def _require(name: str, extra: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise ConfigurationError(
            f"package {name}", expected="it installed", got="nothing", fix=f"pip install 'sidetower[{extra}]'"
        )
