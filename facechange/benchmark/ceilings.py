"""What this machine can do at best: copying memory, and convolutions that suit it, on the engine that is measured."""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facechange.benchmark.timing import measure
from facechange.core import ModelCard
from facechange.runtime import load_graph
from facechange.runtime.engines import usable_processors

CHANNELS, SIDE_PX, LAYERS = 256, 64, 2  # large enough to fill every unit, small enough for the caches
COPIED_BYTES = 1 << 28
FLOAT = 1  # TensorProto.DataType
_WISHES = {"ONNX Runtime CPU": "cpu", "OpenVINO CPU bf16": "openvino", "OpenVINO CPU fp32": "openvino-fp32"}


@dataclass(frozen=True)
class Ceilings:
    """What an engine reaches at best on this machine, on all threads."""

    convolution_gflops: float
    copy_gb_s: float  # read plus written, in the memory that the engine computes in


def measure_ceilings(name: str, engine: str, threads: int, seconds: float) -> Ceilings:
    """Those of an engine by its `Engine.name`, which `engine`, one of `ENGINES`, led to; raises as `load_graph`
    does."""
    if name.startswith("PyTorch"):
        from facechange.benchmark.pytorch_ceilings import measure_convolution, measure_copying

        convolution = measure_convolution(CHANNELS, SIDE_PX, bfloat16=name.endswith("bf16"), seconds=seconds)
        return Ceilings(convolution, measure_copying(seconds))
    return Ceilings(
        measure_convolution_ceiling(_WISHES.get(name, engine), threads, seconds), measure_copy_ceiling(threads, seconds)
    )


def measure_copy_ceiling(threads: int | None = None, seconds: float = 1.0) -> float:
    """GB/s (10^9, read plus written) of copying memory that no cache holds, all `threads` at once."""
    count = threads or usable_processors()
    source = np.ones((count, COPIED_BYTES // count), np.uint8)
    copies = np.zeros_like(source)
    with ThreadPoolExecutor(count) as pool:
        timing = measure(lambda: list(pool.map(np.copyto, copies, source)), seconds)
    return 2 * source.nbytes / timing.fastest_ms / 1e6


def measure_convolution_ceiling(engine: str = "auto", threads: int | None = None, seconds: float = 1.0) -> float:
    """GFLOP/s of two 3 x 3 convolutions of 256 channels at 64 x 64, by `engine` in the face-change model's precision.

    Raises as `load_graph` does.
    """
    data = write_convolutions()
    texts: dict[str, Any] = dict.fromkeys(
        ("version", "summary", "licence", "normalisation", "template", "data", "training", "limits"), ""
    )
    card = ModelCard(
        name="convolutions",
        role="change",
        sha256=hashlib.sha256(data).hexdigest(),
        size_px=0,
        parameters=0,
        inputs={},
        outputs={},
        bfloat16=True,
        **texts,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "convolutions.onnx"
        path.write_bytes(data)
        card.save(path.with_suffix(".json"))
        graph = load_graph(path, threads, engine)
    features = np.random.default_rng(0).normal(size=(1, CHANNELS, SIDE_PX, SIDE_PX)).astype(np.float32)
    timing = measure(lambda: graph.run({"features_0": features}), seconds)
    return LAYERS * 2 * CHANNELS**2 * 9 * SIDE_PX**2 / timing.fastest_ms / 1e6


def write_convolutions() -> bytes:
    """The graph of those convolutions as an ONNX file (field numbers of onnx.proto), without the package `onnx`."""
    kernel = np.random.default_rng(0).normal(0, (CHANNELS * 9) ** -0.5, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    pads = _field(1, b"pads") + b"".join(_field(8, 1) for _ in range(4)) + _field(20, 7)
    nodes = b""
    for layer in range(LAYERS):
        names = _field(1, b"features_%d" % layer) + _field(1, b"kernel") + _field(2, b"features_%d" % (layer + 1))
        nodes += _field(1, names + _field(4, b"Conv") + _field(5, pads))
    dims = b"".join(_field(1, side) for side in kernel.shape)
    weights = _field(5, dims + _field(2, FLOAT) + _field(8, b"kernel") + _field(9, kernel.tobytes()))
    ends = _field(11, _value(b"features_0")) + _field(12, _value(b"features_%d" % LAYERS))
    graph = nodes + _field(2, b"convolutions") + weights + ends
    return _field(1, 9) + _field(7, graph) + _field(8, _field(2, 17))  # IR version, graph, operator set


def _value(name: bytes) -> bytes:
    """A ValueInfoProto of the feature maps' shape."""
    sides = b"".join(_field(1, _field(1, side)) for side in (1, CHANNELS, SIDE_PX, SIDE_PX))
    return _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, sides)))


def _field(number: int, value: int | bytes) -> bytes:
    """A protobuf field: a number as a varint, or bytes with their length before them."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
