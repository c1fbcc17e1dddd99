"""`facechange evaluate` end to end with graphs whose answer is known: one that returns the target, one that pools colours."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from facechange.cli.evaluate import app
from facechange.core import ModelCard, ModelError, OutputError, hash_file

SIZE_PX = 64


def save_graph(path: Path, role: str, nodes: list, inputs: dict, outputs: dict, constants: dict) -> Path:
    """Write a graph of named [shape]s and its card."""

    def describe(shapes: dict) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, role, describe(inputs), describe(outputs), values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    texts = dict.fromkeys(("summary", "licence", "normalisation", "template", "data", "training", "limits"), "test")
    size_px = SIZE_PX if role == "change" else 112
    card = ModelCard(f"test-{role}", role, "0", sha256=hash_file(path), size_px=size_px, parameters=0, inputs={}, outputs={}, **texts)
    card.save(path.with_suffix(".json"))
    return path


@pytest.fixture
def graphs(tmp_path: Path) -> dict[str, Path]:
    same = [helper.make_node("Identity", ["target"], ["changed"])]
    square = [1, 3, SIZE_PX, SIZE_PX]
    change = save_graph(tmp_path / "same.onnx", "change", same, {"target": square, "identity": [1, 512]}, {"changed": square}, {})
    pooled = [
        helper.make_node("AveragePool", ["crop"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Reshape", ["pooled", "shape"], ["mosaic"]),
        helper.make_node("MatMul", ["mosaic", "widen"], ["wide"]),
        helper.make_node("LpNormalization", ["wide"], ["identity"], axis=1, p=2),
    ]
    constants = {"shape": np.array([-1, 48], np.int64), "widen": np.eye(48, 512, dtype=np.float32)}
    crop, identity = {"crop": ["n", 3, 112, 112]}, {"identity": ["n", 512]}
    return {"change": change, "identity": save_graph(tmp_path / "colours.onnx", "identity", pooled, crop, identity, constants)}


def test_change_prints_saves_and_draws(graphs: dict[str, Path], faces_folder: Path, tmp_path: Path) -> None:
    report, sheet = tmp_path / "report.json", tmp_path / "sheet.png"
    arguments = ["--model", graphs["change"], "--identity", graphs["identity"], "--recogniser", graphs["identity"]]
    options = ["--faces", faces_folder, "--pairs", 8, "--grid", sheet, "--grid-pairs", 3, "--json", report]
    result = CliRunner().invoke(app, ["change", *map(str, arguments + options)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "test-change 0" in result.stdout
    metrics = json.loads(report.read_text())["metrics"]
    assert metrics["recognised_as_source_pairs"]["mean"] == 0
    assert metrics["psnr_self_crop"]["mean"] == 100  # [-1, 1] and back loses nothing
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (28 + 2 * 264 - 8, 2 * 776 - 8, 3)
    assert (drawn[28:284, 256:512] == drawn[28:284, 512:768]).all()  # target and result
    assert (drawn[28:284, :256] != drawn[28:284, 256:512]).any()  # source and target


def test_identity_agrees_with_itself(graphs: dict[str, Path], faces_folder: Path) -> None:
    arguments = ["--faces", faces_folder, "--model", graphs["identity"], "--teacher", graphs["identity"], "--normalisation", "symmetric"]
    result = CliRunner().invoke(app, ["identity", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "spearman_cosines_all_pairs" in result.stdout
    assert "1.000" in result.stdout


def test_failures_are_typed(graphs: dict[str, Path], faces_folder: Path, tmp_path: Path) -> None:
    common = ["identity", "--faces", str(faces_folder), "--teacher", str(graphs["identity"])]
    with pytest.raises(ModelError, match="no model at"):
        CliRunner().invoke(app, [*common, "--model", str(tmp_path / "none.onnx")], catch_exceptions=False)
    with pytest.raises(OutputError):
        CliRunner().invoke(app, [*common, "--json", str(tmp_path / "none" / "report.json")], catch_exceptions=False)
