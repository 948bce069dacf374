"""Canonical ONNX: equal networks as equal files."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any


def canonical(model: Any) -> Any:
    """The same network, its nodes in one fixed order and its inner names counted anew.

    tf2onnx names things by a counter of the whole process and orders them by hash; without this, the same weights
    would be another file, and so another space, each time.

    Args:
        model: an ``onnx.ModelProto`` without control flow; changed in place.
    """
    graph = model.graph
    graph.output.sort(key=lambda one: one.name)
    nodes, tensors = _reached(graph)
    names = {one.name: one.name for one in (*graph.input, *graph.output)} | {"": ""}
    names |= {tensor.name: f"weight_{number}" for number, tensor in enumerate(tensors)}
    for number, name in enumerate(name for node in nodes for name in node.output):
        names.setdefault(name, f"value_{number}")
    for number, tensor in enumerate(tensors):
        tensor.name = f"weight_{number}"
    for number, node in enumerate(nodes):
        node.name = f"node_{number}"
        for place in ("input", "output"):
            renamed = [names[name] for name in getattr(node, place)]
            _replace(node, place, renamed)
        node.attribute.sort(key=lambda one: one.name)
    _replace(graph, "node", nodes)
    _replace(graph, "initializer", tensors)
    for place in ("value_info", "doc_string"):
        graph.ClearField(place)
    _name_sizes((*graph.input, *graph.output))
    return model


def _reached(graph: Any) -> tuple[list[Any], list[Any]]:
    """Copies of the nodes and weights that the outputs need, each after what it needs itself."""
    producers = {name: node for node in graph.node for name in node.output}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    found: dict[str, Any] = {}
    tensors: dict[str, Any] = {}

    def visit(name: str) -> None:
        if name in weights:
            tensors.setdefault(name, copy.deepcopy(weights[name]))
        elif name in producers and producers[name].output[0] not in found:
            node = producers[name]
            for needed in node.input:
                visit(needed)
            found[node.output[0]] = copy.deepcopy(node)

    for output in graph.output:
        visit(output.name)
    return list(found.values()), list(tensors.values())


def _replace(owner: Any, place: str, content: Iterable[Any]) -> None:
    owner.ClearField(place)
    getattr(owner, place).extend(content)


def _name_sizes(values: Iterable[Any]) -> None:
    """Number the sizes that are open."""
    sizes: dict[str, str] = {}
    for value in values:
        for size in value.type.tensor_type.shape.dim:
            if size.HasField("dim_param"):
                size.dim_param = sizes.setdefault(size.dim_param, f"size_{len(sizes)}")
