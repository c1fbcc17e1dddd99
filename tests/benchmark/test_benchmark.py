"""The benchmark's figures mean what they say: operations by hand, ceilings on a real engine, a whole run of the shipped
graphs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, load_from_string, numpy_helper, save
from typer.testing import CliRunner

import facechange
from facechange.benchmark.ceilings import CHANNELS, LAYERS, SIDE_PX, Ceilings, measure_ceilings, write_convolutions
from facechange.benchmark.networks import NetworkRun, measure_network
from facechange.benchmark.operations import count_operations
from facechange.benchmark.photographs import draw_photograph
from facechange.benchmark.report import BenchmarkReport, Plan
from facechange.benchmark.roofline import draw_roofline
from facechange.benchmark.stages import measure_cold_swaps
from facechange.benchmark.timing import Timing, measure
from facechange.cli.app import app
from facechange.core import FacechangeError, ModelError


def test_operations_are_those_counted_by_hand(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["crop", "kernel"], ["features"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("Flatten", ["active"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["out"]),
    ]
    constants = {"kernel": np.ones((4, 3, 3, 3), np.float32), "matrix": np.ones((4 * 8 * 8, 5), np.float32)}
    crop, out = (
        helper.make_tensor_value_info(*facts)
        for facts in (("crop", TensorProto.FLOAT, ["n", 3, 16, 16]), ("out", TensorProto.FLOAT, None))
    )
    graph = helper.make_graph(
        nodes, "toy", [crop], [out], [numpy_helper.from_array(value, name) for name, value in constants.items()]
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "toy.onnx")
    counted = count_operations(tmp_path / "toy.onnx", {"crop": np.zeros((2, 3, 16, 16), np.float32)})
    convolution, product = 2 * (2 * 4 * 8 * 8) * 27, 2 * (2 * 5) * 256
    assert counted.flops == convolution + product
    assert counted.bytes == 4 * (2 * 3 * 256 + 4 * 27 + 2 * 4 * 64 + 2 * 256 + 256 * 5 + 2 * 5)


def test_the_ceilings_graph_is_valid_and_costs_what_is_divided_by(tmp_path: Path) -> None:
    data = write_convolutions()
    checker.check_model(load_from_string(data), full_check=True)
    (tmp_path / "convolutions.onnx").write_bytes(data)
    counted = count_operations(
        tmp_path / "convolutions.onnx", {"features_0": np.zeros((1, CHANNELS, SIDE_PX, SIDE_PX), np.float32)}
    )
    assert counted.flops == LAYERS * 2 * CHANNELS**2 * 9 * SIDE_PX**2


def test_ceilings_are_those_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    of_graphs = measure_ceilings("ONNX Runtime CPU", "cpu", 1, 0.01)
    monkeypatch.delattr("facechange.benchmark.ceilings.load_graph")  # PyTorch's own need no graph
    of_pytorch = measure_ceilings("PyTorch CPU fp32", "pytorch", 1, 0.01)
    assert all(ceilings.convolution_gflops > 1 and ceilings.copy_gb_s > 0.1 for ceilings in (of_graphs, of_pytorch))


def test_the_first_run_is_apart_from_the_others() -> None:
    calls: list[int] = []
    timing = measure(lambda: calls.append(1), 0.0)
    assert timing.runs == 3 and len(calls) == 4
    assert timing.fastest_ms <= timing.median_ms <= timing.slowest_ms


def test_every_combination_is_measured_and_baking_is_told_apart(change_path: Path, identity_path: Path) -> None:
    runs = measure_network(change_path, "cpu", [1], [1, 2], 0.0)
    assert [(run.batch, run.baked) for run in runs] == [(1, False), (1, True), (2, False), (2, True)]
    assert all(run.gflops > 0 and run.picture_ms == run.timing.median_ms / run.batch for run in runs)
    with pytest.raises(ModelError, match="not a face-change model"):
        measure_network(identity_path, "cpu", [1], [1], 0.0)


def test_the_photograph_has_its_size_and_one_face() -> None:
    photograph = draw_photograph(0.5)
    assert photograph.dtype == np.uint8 and abs(photograph.shape[0] * photograph.shape[1] / 0.5e6 - 1) < 0.01
    (face,) = facechange.load("facechange-256", threads=1).detect(photograph)
    assert 0.2 < face.size_px / photograph.shape[0] < 0.5


def test_roofline_shows_a_point_below_its_ceiling(change_path: Path) -> None:
    runs = measure_network(change_path, "cpu", [1], [1], 0.0)
    engine = runs[0].engine
    low, high = (
        draw_roofline(BenchmarkReport({}, {engine: Ceilings(ceiling, 10.0)}, runs, [])) for ceiling in (90.0, 30.0)
    )
    assert low.shape == (640, 960, 3)
    assert not np.array_equal(low, high)
    ink = (low == (31, 119, 180)).all(-1)
    assert ink[:320].any() and not ink[ink.shape[0] - 60 :].any()


def test_json_says_milliseconds_a_picture(change_path: Path) -> None:
    runs: list[NetworkRun] = measure_network(change_path, "cpu", [1], [2], 0.0)
    report = BenchmarkReport({"processor": "p"}, {runs[0].engine: Ceilings(2.0, 1.0)}, runs, [])
    document = json.loads(json.dumps(report.to_json()))
    assert document["networks"][0]["picture_ms"] == pytest.approx(runs[0].timing.median_ms / 2)
    assert report.share_of_ceiling(runs[0]) == pytest.approx(runs[0].gflops / 2)
    assert Timing(**document["networks"][0]["timing"]) == runs[0].timing


def test_threads_go_up_to_all() -> None:
    counts = Plan().thread_counts()
    assert counts[0] == 1 and counts == sorted(set(counts))
    assert Plan(threads=(3, 1)).thread_counts() == [1, 3]


@pytest.mark.slow
def test_command_measures_the_shipped_graphs(tmp_path: Path) -> None:
    words = ["benchmark", "--megapixels", "0.3", "--batch", "1", "--threads", "1", "--seconds", "0.01"]
    result = CliRunner().invoke(
        app, [*words, "--json", str(tmp_path / "b.json"), "--roofline", str(tmp_path / "r.png")]
    )
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "b.json").read_text())
    assert len({photograph["model"] for photograph in document["photographs"]}) == 3
    for photograph in document["photographs"]:
        stages = {name: timing["median_ms"] for name, timing in photograph["stages"].items()}
        assert list(stages) == ["read", "detect", "identify", "align", "change", "put back", "write", "whole"]
        assert stages["whole"] > max(stages["detect"], stages["change"], stages["write"])
        assert len(photograph["cold"]) == 3 and all(
            run["seconds"] > stages["whole"] / 1e3 for run in photograph["cold"]
        )
    assert (tmp_path / "r.png").stat().st_size > 5000


def test_a_command_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(FacechangeError, match=r"ended with 7: There is no model at nothing\.onnx"):
        measure_cold_swaps(tmp_path, 0.1, ["--model", "nothing.onnx"], runs=1)
