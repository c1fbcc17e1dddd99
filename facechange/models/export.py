"""Export networks to ONNX, the form in which they are shipped and run."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from facechange.core import ModelError, hash_file
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.presets import IDENTITY_CHANNELS
from facechange.runtime.base import EXACT_FROM_PX
from facechange.runtime.pytorch import METADATA

OPSET = 17
LEAST_BFLOAT16_DB = 45.0
WRAPPED = "model."  # before the names of the swapper's weights in its graph
SMALLEST_HALVED = 256  # values; smaller tensors stay in float32


class _Outputs(nn.Module):
    """The swapper with its masks as separate outputs, free of checks that would fix the number of pictures."""

    def __init__(self, model: FaceChangeNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, target: Tensor, identity: Tensor) -> tuple[Tensor, ...]:
        changed, masks = self.model.generator(identity, self.model.attributes(target))
        return changed, *masks


class _Program(_Outputs):
    """The same in bfloat16, but for the outputs and what is precise by itself."""

    def forward(self, target: Tensor, identity: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            return tuple(output.float() for output in super().forward(target, identity))


def output_names(model: FaceChangeNetwork) -> list[str]:
    """The outputs in order: "changed", then "mask_4_1", "mask_4_2", "mask_8_1" ... coarse to fine."""
    return ["changed", *(f"mask_{px}_{layer}" for px in model.resolutions for layer in (1, 2))]


def export_swapper(model: FaceChangeNetwork, path: Path, *, half: bool = False) -> None:
    """Write the graph: `target` [N, 3, R, R] and `identity` [N, 512] => `changed` [N, 3, R, R] and
    `mask_{resolution}_{layer}`.

    It computes in float32. With `half` the parameters lie in the file as float16, half as large, so that the graph
    equals the model with its parameters rounded to 11 bits.
    """
    inputs = {"target": torch.zeros(2, 3, model.size_px, model.size_px), "identity": torch.zeros(2, IDENTITY_CHANNELS)}
    names = output_names(model)
    export_graph(_Outputs(model), path, inputs, {name: {0: "pictures"} for name in (*inputs, *names)}, half=half)


def export_program(model: FaceChangeNetwork, graph_path: Path, *, bfloat16: bool) -> Path:
    """Write the swapper as a PyTorch program (.pt2) beside its graph, for `runtime/pytorch.py`; any batch.

    It computes in float32, or in `bfloat16` all but its `fine_layers`; every cast is written down, so that it means the
    same on every device. It holds the hash of the graph that it belongs to.
    """
    path = graph_path.with_suffix(".pt2")
    unfinished = path.with_name("unfinished-" + path.name)  # PyTorch wants the extension
    inputs = {"target": torch.zeros(2, 3, model.size_px, model.size_px), "identity": torch.zeros(2, IDENTITY_CHANNELS)}
    pictures = torch.export.Dim("pictures", min=1, max=4096)
    metadata = {
        "sha256": hash_file(graph_path),
        "inputs": list(inputs),
        "outputs": output_names(model),
        "bfloat16": bfloat16,
    }
    network = (_Program if bfloat16 else _Outputs)(model).cpu().eval()
    try:
        with warnings.catch_warnings(), torch.no_grad(), _in_float32(fine_layers(model) if bfloat16 else ()):
            warnings.simplefilter("ignore")  # of PyTorch about itself
            free = {name: {0: pictures} for name in inputs}
            program = torch.export.export(network, tuple(inputs.values()), dynamic_shapes=free).run_decompositions({})
        torch.export.save(program, unfinished, extra_files={METADATA: json.dumps(metadata)})
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def fine_layers(model: FaceChangeNetwork) -> list[nn.Module]:
    """The layers of `EXACT_FROM_PX` pixels and wider, or the finest of a smaller model: those that every engine
    computes in float32."""
    exact = {str(px) for px in model.resolutions if px >= min(EXACT_FROM_PX, model.size_px)}
    attributes, generator = model.attributes, model.generator
    tables = (
        attributes.from_rgb,
        attributes.encoder,
        attributes.reduction,
        attributes.decoder,
        generator.blocks,
        generator.to_rgb,
    )
    return [layer for table in tables for px, layer in table.items() if px in exact]


@torch.no_grad()
def withstands_bfloat16(network: nn.Module, size_px: int, *others: Tensor, precise: Sequence[nn.Module] = ()) -> bool:
    """Whether what `network` makes of pictures [2, 3, size_px, size_px], in [-1, 1] or clipped to it, can be had in
    bfloat16.

    The pictures are smooth noise, on which two swappers came to 43 and 44 dB, and on faces to 45 and 43 on average.
    `others` are its further inputs, `precise` its modules that stay in float32.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, size_px // 16, size_px // 16, generator=generator) * 2 - 1
    pictures = functional.interpolate(coarse, size=(size_px, size_px), mode="bicubic").clamp(-1, 1)
    exact = network(pictures, *others).clamp(-1, 1)
    with torch.autocast("cpu", torch.bfloat16), _in_float32(precise):
        rounded = network(pictures, *others).float().clamp(-1, 1)
    peak = exact.max() - exact.min()
    return bool(10 * torch.log10(peak.square() / (rounded - exact).square().mean()) >= LEAST_BFLOAT16_DB)


@contextmanager
def _in_float32(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Take `modules` out of an automatic cast."""

    def exactly(forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            with torch.autocast("cpu", enabled=False):
                return forward(*(each.float() if isinstance(each, Tensor) else each for each in given))

        return run

    for module in modules:
        module.forward = exactly(module.forward)
    try:
        yield
    finally:
        for module in modules:
            del module.forward  # the class's own is left


def export_graph(
    network: nn.Module, path: Path, inputs: dict[str, Tensor], free_axes: dict[str, dict[int, str]], *, half: bool
) -> None:
    """Write `network` as an ONNX graph, whole or not at all.

    `inputs` are examples by name, in the order of the arguments; `free_axes` names the axes of any length of every
    input, then of every output, in order. With `half`, as `halve_weights`.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    was_training, device = network.training, next(network.parameters()).device
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of the exporter's age: its graphs are plain and run everywhere
            network.cpu().eval()
            # it alone, not its parts: else the exporter stores equal weights once, under one of their names
            network.training = True
            torch.onnx.export(
                network,
                tuple(inputs.values()),
                str(unfinished),
                input_names=list(inputs),
                output_names=[name for name in free_axes if name not in inputs],
                dynamic_axes=free_axes,
                opset_version=OPSET,
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,  # as set above, and nothing fused: weights keep their names
                # runtimes fold when loading; folded squares of kernels would only swell the file
                do_constant_folding=False,
            )
        if half:
            graph = onnx.load(str(unfinished))
            halve_weights(graph)
            onnx.save(graph, str(unfinished))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
        network.to(device).train(was_training)


def halve_weights(model: onnx.ModelProto) -> None:
    """Store a graph's large float32 weights as float16 with a cast back, in place; a runtime folds the casts when
    loading."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or int(np.prod(weight.dims)) < SMALLEST_HALVED:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], name + "_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The parameters and buffers of a graph that `export_graph` wrote, by their names in the network; raises
    `ModelError`."""
    try:
        stored = onnx.load(str(path)).graph.initializer
    except (OSError, DecodeError) as error:
        raise ModelError(
            f"{path} is not a readable graph ({error}).", "Give a graph written by facechange export."
        ) from None
    return {
        weight.name.removesuffix("_half"): torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
        for weight in stored
    }
