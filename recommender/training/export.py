"""Export: a traced TensorFlow function as an ONNX file that is opened and compared before anyone trusts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from domain.errors import BundleRefused
from recommender.sessions import OnnxSession
from recommender.training.canonical import canonical
from recommender.training.frameworks import load_tensorflow

OPSET: Final = 17
#: How far the exported network may be from TensorFlow.
TOLERANCE: Final = 1e-4

#: Shape (None = any) and type of each input, by name, in order.
Signature = Mapping[str, tuple[tuple[int | None, ...], str]]


def export_network(
    network: Callable[..., dict[str, Any]], signature: Signature, path: Path, examples: Sequence[Mapping[str, Any]]
) -> Any:
    """Write the network and check it on examples: exporters return normally even when the file is wrong.

    Args:
        network: takes the inputs in order, gives outputs by name.
        signature: its inputs.
        path: the ``.onnx`` file to write.
        examples: inputs by name, at least one.

    Returns:
        The traced function; called with keywords it is the oracle for the file.

    Raises:
        BundleRefused: the file computes something else.
    """
    tf = load_tensorflow()
    import tf2onnx

    specs = [tf.TensorSpec(shape, kind, name=name) for name, (shape, kind) in signature.items()]
    traced = tf.function(network, input_signature=specs, autograph=False)
    model, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=OPSET)
    path.write_bytes(canonical(model).SerializeToString(deterministic=True))
    session = OnnxSession(path)
    for example in examples:
        expected = traced(**{name: tf.constant(value) for name, value in example.items()})
        found = session.run(**example)
        for name, value in expected.items():
            difference = float(np.abs(np.asarray(value) - found[name]).max(initial=0.0))
            if not difference < TOLERANCE:
                raise BundleRefused(
                    f"{path.name}, {name}",
                    expected=f"TensorFlow's numbers to {TOLERANCE}",
                    got=f"a difference of {difference:.2g}",
                    fix="Report this with the versions of tensorflow and tf2onnx.",
                )
    return traced
