"""ONNX Runtime: the engine of the base install, on processors and, where its other packages are installed, on
accelerators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facechange.core import ModelError
from facechange.runtime.base import Model

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}


class OnnxRuntimeEngine:
    """An inference session."""

    def __init__(self, session: Any, engine: str) -> None:
        self._session = session
        self.name = (
            "ONNX Runtime CPU"
            if engine == "cpu"
            else f"ONNX Runtime {PROVIDERS[engine].removesuffix('ExecutionProvider')}"
        )
        self.input_names: list[str] = [value.name for value in session.get_inputs()]
        self.output_names: list[str] = [value.name for value in session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Only what `outputs` need is computed."""
        return self._session.run(list(outputs), dict(inputs))


def open_session(model: Model, engine: str) -> OnnxRuntimeEngine:
    """Load `model` for the provider of that name; raises `ModelError` where it cannot be loaded or this machine lacks
    it."""
    import onnxruntime  # late: a command that runs no graph need not load it

    provider = PROVIDERS[engine]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        usable = [name for name, known in PROVIDERS.items() if known in available]
        raise ModelError(f"This installation of ONNX Runtime has no {engine}.", f"It can use {', '.join(usable)}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = model.threads
    options.log_severity_level = 4  # what fails comes back as an exception
    try:
        session = onnxruntime.InferenceSession(
            model.data,
            options,
            providers=[provider, "CPUExecutionProvider"][: 1 + (engine != "cpu")],
            enable_fallback=engine != "cpu",  # to what failed just now, with lines on stdout
        )
    except Exception as error:  # ONNX Runtime's own errors share no public base class
        raise ModelError(
            f"{model.path.name} cannot be loaded ({str(error).splitlines()[0]}).", "Export the model again."
        ) from error
    if session.get_providers()[0] != provider:  # ONNX Runtime falls back in silence
        raise ModelError(
            f"This machine cannot use {engine}: its driver or a library is missing.",
            "Choose another execution provider.",
        )
    return OnnxRuntimeEngine(session, engine)


def evaluate_constants(data: bytes) -> dict[str, np.ndarray]:
    """Every output of a graph that has no inputs; raises `ModelError` where it cannot be computed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it runs once
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, {}), strict=True))
    except Exception as error:  # as above
        raise ModelError(
            f"The inputs do not fit the graph ({str(error).splitlines()[0]}).", "Check the shapes its card names."
        ) from error
