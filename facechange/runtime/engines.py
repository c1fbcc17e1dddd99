"""Which engine runs a graph."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec

from facechange.core import DependencyError, ModelError
from facechange.runtime.base import Engine, Model, program_path

ENGINES = ("auto", "cpu", "openvino", "openvino-fp32", "cuda", "tensorrt", "coreml", "directml", "pytorch")
LARGE_PX = 1024  # side of the input from which one run on OpenVINO saves what it takes to get it ready


def preferred_engines(model: Model) -> dict[str, str]:
    """The engines that `auto` tries in turn, and why: those on accelerators that seem to be there, last the quickest on
    processors.

    ONNX Runtime is ready sooner, OpenVINO runs faster: a graph that runs once or twice is for the one, a graph for many
    runs, as a baked one is, for the other. So is a large one, for which ONNX Runtime takes several times the memory, in
    float32 where it runs but once or twice: a network that is not baked loses more to bfloat16 (docs/performance.md).
    """
    import onnxruntime

    preferred = {}
    if program_path(model).is_file() and find_spec("torch"):
        from facechange.runtime.pytorch import sees_gpu

        if sees_gpu():
            preferred["pytorch"] = "PyTorch sees a GPU"
    available = onnxruntime.get_available_providers()
    providers = (("CUDAExecutionProvider", "cuda"), ("DmlExecutionProvider", "directml"))
    preferred |= {engine: f"ONNX Runtime has {engine}" for provider, engine in providers if provider in available}
    if not find_spec("openvino"):
        return preferred | {"cpu": "OpenVINO, which is faster, is not installed: pip install 'facechange[fast]'"}
    if model.many_runs or model.fixed:
        return preferred | {"openvino": "the fastest on processors once it is ready, and many pictures are to come"}
    if model.size_px >= LARGE_PX:
        return preferred | {"openvino-fp32": f"for {model.size_px} px ONNX Runtime takes several times the memory"}
    return preferred | {"cpu": "ready soonest, and only one picture is to come"}


def choose_engine(model: Model, engine: str) -> tuple[Engine, str]:
    """`model` ready on the engine of that name, one of `ENGINES`, and in words why it was taken. Raises what
    `open_engine` does."""
    if engine != "auto":
        return open_engine(model, engine), "as it was asked for"
    preferred, missing = preferred_engines(model), ""
    *accelerated, last = preferred
    for name in accelerated:
        try:
            return open_engine(model, name), preferred[name]
        except ModelError as error:  # its package is here, but not its driver
            missing += f"; not {name}: {error.message}"
    return open_engine(model, last), preferred[last] + missing


def open_engine(model: Model, engine: str) -> Engine:
    """Make `model` ready on the engine of that name, one of `ENGINES` but `auto`.

    Raises `DependencyError` where its package is not installed, `ModelError` where this machine lacks its device or the
    graph cannot be loaded.
    """
    if engine == "pytorch":
        if not program_path(model).is_file():
            raise ModelError(
                f"There is no PyTorch program at {program_path(model)}.",
                f"Write it with: facechange export program {model.path}",
            )
        if not find_spec("torch"):
            raise DependencyError("PyTorch is not installed.", "Install it with: pip install 'facechange[train]'")
        from facechange.runtime.pytorch import open_program

        return open_program(model)
    if model.fixed:
        from facechange.runtime.bake import bake_model
        from facechange.runtime.onnx_runtime import evaluate_constants

        model = replace(model, data=bake_model(model.data, model.fixed, evaluate_constants))
    if engine.startswith("openvino"):
        if not find_spec("openvino"):
            raise DependencyError("OpenVINO is not installed.", "Install it with: pip install 'facechange[fast]'")
        from facechange.runtime.openvino import open_compiled

        return open_compiled(model, low_precision=engine == "openvino" and model.bfloat16)
    from facechange.runtime.onnx_runtime import open_session

    return open_session(model, engine)


def check_engine(engine: str) -> str:
    """`engine` as it is; raises `ModelError` where there is none of that name."""
    if engine not in ENGINES:
        raise ModelError(f"There is no engine {engine!r}.", f"Choose one of {', '.join(ENGINES)}.")
    return engine


def usable_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # respects taskset and container limits that cpu_count does not see
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
