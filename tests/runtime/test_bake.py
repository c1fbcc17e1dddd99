"""Folding into convolutions, on a small graph made for it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from facechange.runtime.bake import bake_model
from facechange.runtime.onnx_runtime import evaluate_constants

RANDOM = np.random.default_rng(0)


def make_graph() -> onnx.ModelProto:
    """Two convolutions with one weight; one is scaled by `style` before a Resize, and after it scaled, moved and
    scaled."""
    nodes = [
        helper.make_node("Mul", ["x", "style"], ["scaled"]),
        helper.make_node("Resize", ["scaled", "", "sizes"], ["larger"], mode="linear"),
        helper.make_node("Conv", ["larger", "weight"], ["conv_1"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["conv_1", "gain"], ["conv_2"]),
        helper.make_node("Add", ["term", "conv_2"], ["conv_3"]),
        helper.make_node("Mul", ["half", "conv_3"], ["first"]),
        helper.make_node("Conv", ["x", "weight", "bias"], ["second"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["second", "x_mean"], ["third"]),
        helper.make_node("ReduceMean", ["x"], ["x_mean"], keepdims=1),
    ]
    order = [8, 0, 1, 2, 3, 4, 5, 6, 7]
    constants = {
        "weight": RANDOM.normal(size=(4, 3, 3, 3)),
        "bias": RANDOM.normal(size=4),
        "gain": RANDOM.normal(size=(1, 4, 1, 1)),
        "term": RANDOM.normal(size=(4, 1, 1)),
        "half": np.array(0.5),
        "sizes": np.array([1, 1, 2, 2]),
    }
    graph = helper.make_graph(
        [nodes[index] for index in order],
        "folding",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 6]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 3, 1, 1]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("first", "third")],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(data: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, inputs)


def test_scalings_are_folded_and_nothing_else_changes() -> None:
    data = make_graph().SerializeToString()
    x, style = RANDOM.normal(size=(2, 3, 6, 6)).astype(np.float32), RANDOM.normal(size=(1, 3, 1, 1)).astype(np.float32)
    baked = bake_model(data, {"style": style}, evaluate_constants)
    for ours, expected in zip(run(baked, {"x": x}), run(data, {"x": x, "style": style}), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)
    model = onnx.load_from_string(baked)
    assert [node.op_type for node in model.graph.node] == ["ReduceMean", "Resize", "Conv", "Conv", "Mul"]
    assert [value.name for value in model.graph.input] == ["x"]


def test_the_shipped_graph_becomes_plain_convolutions() -> None:
    import facechange

    data = (Path(facechange.__file__).parent / "weights" / "facechange-256.onnx").read_bytes()
    identity = np.full((1, 512), 512**-0.5, np.float32)
    baked = onnx.load_from_string(bake_model(data, {"identity": identity}, evaluate_constants))
    kinds = [node.op_type for node in baked.graph.node]
    assert not {"Gemm", "MatMul", "ReduceSum", "Sqrt", "Div"} & set(kinds), "the identity's own layers are left"
    made = {name: node.op_type for node in baked.graph.node for name in node.output}
    read_by_3x3 = [
        node.input[0]
        for node in baked.graph.node
        if node.op_type == "Conv" and "blocks." in node.name and "njection" not in node.name
    ]
    assert read_by_3x3
    assert "Mul" not in {made[name] for name in read_by_3x3}
