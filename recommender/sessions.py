"""ONNX sessions: one network file opened for running on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import BundleRefused, ConfigurationError


class OnnxSession:
    """Runs one network; safe for several threads at once.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call; one is best for a process that answers requests.

    Raises:
        ConfigurationError: ONNX Runtime is not installed.
        BundleRefused: the file is no network that can be run.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            import onnxruntime as ort
        except ImportError:
            raise missing_package("onnxruntime") from None
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A pool that spins takes the core from the process that shares it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common class of their own
            raise BundleRefused(
                str(path), expected="a network in ONNX format", got=str(error)[:200], fix="Build the bundle anew."
            ) from error
        self.inputs = {one.name: one.shape for one in self._session.get_inputs()}
        self.outputs = {one.name: one.shape for one in self._session.get_outputs()}

    def run(self, **feed: Any) -> dict[str, Any]:
        """The outputs by name. Inputs that this network does not read are left out."""
        wanted = {name: np.ascontiguousarray(feed[name]) for name in self.inputs}
        return dict(zip(self.outputs, self._session.run(None, wanted), strict=True))


def missing_package(name: str) -> ConfigurationError:
    """The error for a package of the `serve` extra that is not there."""
    return ConfigurationError(name, expected="it installed", got="nothing", fix="pip install 'sidetower[serve]'")
