from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.needs import require_module

pytestmark = pytest.mark.training


def test_equal_networks_are_equal_files_and_other_weights_another(tmp_path: Path) -> None:
    require_module("tensorflow", "train")
    from recommender.training.export import export_network
    from recommender.training.frameworks import load_tensorflow

    tf = load_tensorflow()
    given = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)

    def write(name: str, scale: float) -> bytes:
        weights = np.full((4, 2), scale, np.float32)

        def network(value: Any) -> dict[str, Any]:
            product = tf.matmul(value, weights)
            return {"second": tf.nn.softmax(product), "first": tf.reduce_sum(product * product, axis=1)}

        # `export_network` compares the file that it wrote with TensorFlow.
        export_network(network, {"value": ((None, 4), "float32")}, tmp_path / name, [{"value": given}])
        return (tmp_path / name).read_bytes()

    first = write("one.onnx", 0.5)
    assert write("two.onnx", 0.5) == first
    assert write("three.onnx", 0.25) != first


def test_names_of_inputs_and_outputs_stay_and_what_nothing_needs_goes() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from recommender.training.canonical import canonical

    size = ["unk__77"]
    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["given"], ["unused__9"], name="unused"),
            helper.make_node("Add", ["product__5", "bias__3"], ["answer"], name="add__8"),
            helper.make_node("Mul", ["given", "factor__1"], ["product__5"], name="mul__7"),
        ],
        "graph",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, size)],
        [helper.make_tensor(name, TensorProto.FLOAT, [1], [2.0]) for name in ("bias__3", "factor__1", "waste__2")],
    )
    found = canonical(helper.make_model(graph)).graph
    onnx.checker.check_graph(found)
    assert [(node.op_type, list(node.input), list(node.output)) for node in found.node] == [
        ("Mul", ["given", "weight_0"], ["value_0"]),
        ("Add", ["value_0", "weight_1"], ["answer"]),
    ]
    assert [tensor.name for tensor in found.initializer] == ["weight_0", "weight_1"]
    assert found.input[0].type.tensor_type.shape.dim[0].dim_param == "size_0"
