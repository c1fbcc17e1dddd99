"""Count the arithmetic of a graph by running it once and reading the shapes of what ran; knows no architecture."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facechange.core.stored import read_json

BYTES_A_VALUE = 4


@dataclass(frozen=True)
class Operations:
    """What a graph costs for the inputs it was given."""

    flops: int  # of convolutions and matrix products; a multiplication and an addition are two
    bytes: int  # in float32: those operations' inputs, weights and outputs, each read or written once

    @property
    def flops_a_byte(self) -> float:
        """Arithmetic intensity: the horizontal axis of a roofline."""
        return self.flops / max(self.bytes, 1)


def count_operations(graph: Path, inputs: Mapping[str, np.ndarray]) -> Operations:
    """Costs of the `.onnx` file `graph` for `inputs`, as it is written, before any runtime makes it quicker."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        # operators keep their names
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")  # a packed weight would show no shape
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        session.run(None, dict(inputs))
        events = read_json(Path(session.end_profiling()))
    counts = [
        _count(event["args"])
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    ]
    return Operations(sum(flops for flops, _ in counts), sum(size for _, size in counts))


def _count(node: Mapping[str, Any]) -> tuple[int, int]:
    """Operations and bytes of one node that ran."""
    if node["op_name"] not in ("Conv", "MatMul", "Gemm"):
        return 0, 0
    inputs = [shape for entry in node["input_type_shape"] for shape in entry.values()]
    (output,) = (shape for entry in node["output_type_shape"] for shape in entry.values())
    # A value of the output sums over one kernel, or over the length that the two matrices share.
    length = math.prod(inputs[1][1:]) if node["op_name"] == "Conv" else inputs[0][-1]
    values = sum(math.prod(shape) for shape in [*inputs, output])
    return 2 * math.prod(output) * length, values * BYTES_A_VALUE
