"""Specialise a graph to constant inputs: compute once what depends on them alone, and fold scalings into convolutions.

Nothing here knows an architecture. For a graph whose input sets factors before and after a convolution, such as the
identity of a face change, what is left is a plain convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from facechange.runtime.onnx_messages import make_tensor, make_value, parse_model

Evaluate = Callable[[bytes], dict[str, np.ndarray]]  # runs a graph without inputs


def bake_model(data: bytes, inputs: Mapping[str, np.ndarray], evaluate: Evaluate) -> bytes:
    """The ONNX model `data` with `inputs` fixed to these float32 arrays; its other inputs and all outputs stay as they
    are."""
    model = parse_model(data)
    graph = model.graph
    _replace(graph.input, [value for value in graph.input if value.name not in inputs])
    graph.initializer.extend(make_tensor(name, values) for name, values in inputs.items())
    constants = _fold_constants(model, evaluate)
    fold_scalings(graph, constants)
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    _replace(graph.initializer, [make_tensor(name, values) for name, values in constants.items() if name in used])
    return model.SerializeToString()


def _fold_constants(model: Any, evaluate: Evaluate) -> dict[str, np.ndarray]:
    """Drop the nodes that depend on constants alone; returns the constants that the rest of the graph reads."""
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer} | {""}  # an empty name is an input left out
    constant: list[Any] = []
    rest: list[Any] = []
    for node in graph.node:  # in an order in which each is computed after its inputs
        is_constant = all(name in known for name in node.input)
        (constant if is_constant else rest).append(node)
        if is_constant:
            known.update(node.output)
    wanted = {name for node in rest for name in node.input} | {value.name for value in graph.output}
    outputs, inputs = list(graph.output), list(graph.input)
    _replace(graph.node, constant)
    _replace(graph.input, [])
    _replace(graph.output, [make_value(name) for name in sorted(wanted & known - {""})])
    constants = evaluate(model.SerializeToString())
    _replace(graph.node, rest)
    _replace(graph.input, inputs)
    _replace(graph.output, outputs)
    return constants


def fold_scalings(graph: Any, constants: dict[str, np.ndarray]) -> None:
    """Fold constant factors before a convolution, and factors and terms after it, into its weight and bias, in place.

    A factor a channel commutes with a Resize, which treats channels alike, so it is found on the far side of one too.
    """
    maker = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[Any]] = {value.name: [value] for value in graph.output}  # an output counts as a reader
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        if (
            node.op_type == "Conv"
            and node.input[1] in constants
            and not any(a.name == "group" and a.i != 1 for a in node.attribute)
        ):
            _own_constants(node, constants)
            _fold_before(node, maker, readers, constants)
            _fold_after(node, readers, constants)
    _replace(graph.node, [node for node in graph.node if node.op_type])  # a node that was folded away is empty


def _own_constants(node: Any, constants: dict[str, np.ndarray]) -> None:
    """Give a convolution a weight and a bias that no other node reads."""
    for place, kind in ((1, "weight"), (2, "bias")):
        if len(node.input) > place and node.input[place] in constants:
            name = f"{node.output[0]}/{kind}"
            constants[name] = constants[node.input[place]]
            node.input[place] = name


def _fold_before(
    node: Any, maker: dict[str, Any], readers: dict[str, list[Any]], constants: dict[str, np.ndarray]
) -> None:
    weight = constants[node.input[1]]  # [O, I, h, w]
    reader, name = node, node.input[0]
    while name in maker and len(readers[name]) == 1:
        before = maker[name]
        if before.op_type == "Resize":
            reader, name = before, before.input[0]
            continue
        factor_name, kept_name = _split_operands(before, constants)
        factor = _by_channel(constants.get(factor_name), weight.shape[1])
        if before.op_type != "Mul" or factor is None:
            return
        constants[node.input[1]] = weight = weight * factor[None, :, None, None]
        reader.input[0] = name = kept_name
        readers[kept_name] = [reader if other is before else other for other in readers[kept_name]]
        before.Clear()


def _fold_after(node: Any, readers: dict[str, list[Any]], constants: dict[str, np.ndarray]) -> None:
    channels = constants[node.input[1]].shape[0]
    while len(readers[node.output[0]]) == 1:
        after = readers[node.output[0]][0]
        if not hasattr(after, "op_type") or after.op_type not in ("Mul", "Add"):
            return
        values = _by_channel(constants.get(_split_operands(after, constants)[0]), channels)
        has_bias = len(node.input) > 2
        if values is None or (has_bias and node.input[2] not in constants):
            return
        bias = constants[node.input[2]] if has_bias else np.zeros(channels, np.float32)
        if after.op_type == "Mul":
            constants[node.input[1]] = constants[node.input[1]] * values[:, None, None, None]
        bias = bias * values if after.op_type == "Mul" else bias + values
        if not has_bias:
            node.input.append(f"{node.output[0]}/bias")
        constants[node.input[2]] = bias
        node.output[0] = after.output[0]
        after.Clear()


def _split_operands(node: Any, constants: dict[str, np.ndarray]) -> tuple[str, str]:
    """The names of the constant and of the other operand of a node of two inputs; empty where it has not one of
    each."""
    if len(node.input) != 2 or (node.input[0] in constants) == (node.input[1] in constants):
        return "", ""
    first, second = node.input
    return (first, second) if first in constants else (second, first)


def _by_channel(values: np.ndarray | None, channels: int) -> np.ndarray | None:
    """[C] from a scalar or from what broadcasts as [1, C, 1, 1]; None where it is neither."""
    if values is None or values.dtype != np.float32:
        return None
    if values.size == 1:
        return np.full(channels, values.item(), np.float32)
    shape = (1,) * (4 - values.ndim) + values.shape
    return values.reshape(channels) if shape == (1, channels, 1, 1) else None


def _replace(field: Any, values: list[Any]) -> None:
    """Make `values` the content of a repeated field; they may be from its content so far."""
    del field[:]
    field.extend(values)
