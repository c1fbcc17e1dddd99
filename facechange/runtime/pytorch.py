"""PyTorch (extra `train`): runs a program that `facechange export program` wrote beside a graph, on a GPU where there
is one.

The program (`NAME.pt2` beside `NAME.onnx`) holds its own code and weights, so that no architecture is known here
either.
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export.passes import move_to_device_pass

from facechange.core import ModelError
from facechange.core.stored import parse_json
from facechange.runtime.base import Model, program_path

REMEDY = "Write it again with: facechange export program MODEL"
WARM_UP_RUNS = 3
METADATA = (
    # inside the program: the graph it belongs to, the names of its inputs and outputs, whether it computes in bfloat16
    "facechange.json"
)


class PyTorchEngine:
    """A program on a device; constant inputs wait there. One thread at a time is inside.

    With `record` it is recorded as a CUDA graph for each batch that comes, and replayed: one launch instead of
    hundreds. PyTorch's own ("reduce-overhead") fail in every thread but the one that loaded them.
    """

    def __init__(
        self,
        program: Any,
        metadata: dict[str, Any],
        fixed: Mapping[str, np.ndarray],
        device: torch.device,
        *,
        record: bool,
    ) -> None:
        self._program, self._device = program, device
        self._recorded: dict[int, _Recording] | None = {} if record else None  # by batch
        self._inside = threading.Lock()
        self._order: list[str] = metadata["inputs"]
        self._fixed = {name: self._upload(values) for name, values in fixed.items()}
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        self.name = f"PyTorch {where} {'bf16' if metadata['bfloat16'] else 'fp32'}"
        self.input_names = [name for name in self._order if name not in fixed]
        self.output_names: list[str] = metadata["outputs"]

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """All outputs are computed; those not asked for stay on the device."""
        if set(inputs) != set(self.input_names):
            raise ValueError(f"its inputs are {', '.join(self.input_names)}")
        with self._inside, torch.inference_mode():
            given = self._fixed | {name: self._upload(values) for name, values in inputs.items()}
            batch = max(len(values) for values in given.values())
            ordered = [given[name].expand(batch, *given[name].shape[1:]) for name in self._order]
            results = dict(zip(self.output_names, self._compute(batch, ordered), strict=True))
            # Put in order on the device, which then writes the copy itself.
            fetched = [results[name].contiguous().to("cpu", non_blocking=True) for name in outputs]
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
        return [tensor.numpy() for tensor in fetched]

    def _compute(self, batch: int, inputs: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        if self._recorded is None:
            return self._program(*inputs)
        if batch not in self._recorded:
            self._recorded[batch] = _record(self._program, inputs)
        return self._recorded[batch].replay(inputs)

    def _upload(self, values: np.ndarray) -> torch.Tensor:
        # PyTorch warns of memory that it may not write
        tensor = torch.from_numpy(np.require(values, requirements=["C", "W"]))
        if self._device.type != "cuda":
            return tensor
        tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


@dataclass(frozen=True)
class _Recording:
    """A CUDA graph, and where it reads and writes."""

    graph: Any
    inputs: list[torch.Tensor]
    outputs: Sequence[torch.Tensor]

    def replay(self, inputs: list[torch.Tensor]) -> Sequence[torch.Tensor]:
        for place, given in zip(self.inputs, inputs, strict=True):
            place.copy_(given)
        self.graph.replay()
        return self.outputs  # until the next replay


def _record(program: Any, inputs: list[torch.Tensor]) -> _Recording:
    """Record `program` on such `inputs`; run before, it compiles itself and chooses its kernels."""
    places = [given.clone() for given in inputs]
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP_RUNS):
            program(*places)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = program(*places)
    return _Recording(graph, places, outputs)


def open_program(model: Model) -> PyTorchEngine:
    """Load the program beside `model`, on a GPU where there is one, there compiled and recorded for many runs; raises
    `ModelError`."""
    path = program_path(model)
    metadata = _read_metadata(path)
    if metadata["sha256"] != model.sha256:
        raise ModelError(f"{path.name} does not belong to {model.path.name}.", REMEDY)
    device = find_device()
    try:
        network = place_program(torch.export.load(path), device)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{path.name} cannot be loaded ({str(error).splitlines()[0]}).", REMEDY) from error
    many = device.type == "cuda" and (model.many_runs or bool(model.fixed))  # worth the time that compiling takes
    if device.type == "cuda":
        # TensorFloat-32 has eight times the precision of bfloat16; a network that must not be rounded gets neither.
        torch.backends.cudnn.allow_tf32 = metadata["bfloat16"]
        torch.backends.cudnn.benchmark = many
        network = network.to(memory_format=torch.channels_last)
        network = torch.compile(network) if many and find_spec("triton") else network
    return PyTorchEngine(network, metadata, model.fixed, device, record=many)


def place_program(program: torch.export.ExportedProgram, device: torch.device) -> Any:
    """The program as a module on `device` (a GPU by its number: "cuda:0"): its weights, and what it says of devices."""
    return move_to_device_pass(program, str(device)).module()


def find_device() -> torch.device:
    """The GPU that programs run on, by its number, or the processor."""
    return torch.device("cuda", torch.cuda.current_device()) if sees_gpu() else torch.device("cpu")


def sees_gpu() -> bool:
    """Whether PyTorch can use a GPU of this machine."""
    return torch.cuda.is_available()


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(f"/{METADATA}")]
            return parse_json(archive.read(name))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is not a program of facechange ({error}).", REMEDY) from None
