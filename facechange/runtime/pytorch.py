"""PyTorch (extra `train`): runs a program that `facechange export` wrote beside a graph; compiled, on a GPU where there is one.

The program (`NAME.pt2` beside `NAME.onnx`) holds its own code and weights, so that no architecture is known here either.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facechange.core import ModelError
from facechange.runtime.engines import Model, program_path

FACTS = "facechange.json"  # inside the program: the graph it belongs to, and the names of its inputs and outputs


class PyTorchEngine:
    """A program on a device; constant inputs wait there."""

    def __init__(
        self, program: Any, facts: dict[str, Any], fixed: Mapping[str, np.ndarray], device: torch.device, dtype: torch.dtype
    ) -> None:
        self._program, self._device, self._dtype = program, device, dtype
        self._order: list[str] = facts["inputs"]
        self._fixed = {name: self._upload(values) for name, values in fixed.items()}
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        self.name = f"PyTorch {where} {'fp32' if dtype == torch.float32 else 'bf16'}"
        self.input_names = [name for name in self._order if name not in fixed]
        self.output_names: list[str] = facts["outputs"]

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """All outputs are computed; those not asked for stay on the device."""
        if set(inputs) != set(self.input_names):
            raise ValueError(f"its inputs are {', '.join(self.input_names)}")
        given = self._fixed | {name: self._upload(values) for name, values in inputs.items()}
        batch = max(len(values) for values in given.values())
        ordered = [given[name].expand(batch, *given[name].shape[1:]) for name in self._order]
        with torch.inference_mode(), torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            results = dict(zip(self.output_names, self._program(*ordered), strict=True))
            return [results[name].float().cpu().numpy() for name in outputs]

    def _upload(self, values: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        if self._device.type != "cuda":
            return tensor
        tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def open_program(model: Model) -> PyTorchEngine:
    """Load the program beside `model`, compiled with CUDA graphs in bfloat16 on a GPU; raises `ModelError`."""
    path = program_path(model)
    facts = _read_facts(path)
    if facts["sha256"] != model.sha256:
        raise ModelError(f"{path.name} does not belong to {model.path.name}.", "Export the model again, with --program.")
    device = torch.device("cuda" if sees_gpu() else "cpu")
    try:
        network: Any = torch.export.load(path).module().to(device)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path.name} cannot be loaded ({str(error).splitlines()[0]}).", "Export the model again, with --program."
        ) from error
    low_precision = device.type == "cuda" and model.bfloat16
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32 where bfloat16 is not good enough
        network = torch.compile(network.to(memory_format=torch.channels_last), mode="reduce-overhead")
    return PyTorchEngine(network, facts, model.fixed, device, torch.bfloat16 if low_precision else torch.float32)


def sees_gpu() -> bool:
    """Whether PyTorch can use a GPU of this machine."""
    return torch.cuda.is_available()


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(f"/{FACTS}")]
            return json.loads(archive.read(name))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is not a program of facechange ({error}).", "Export the model again, with --program.") from None
