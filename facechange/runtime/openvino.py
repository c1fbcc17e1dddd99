"""OpenVINO (extra `fast`): the fastest engine on x86 processors, in bfloat16 where the processor computes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from facechange.core import ModelError
from facechange.core.settings import cache_folder
from facechange.runtime.base import EXACT_FROM_PX, Model

# A model of one node that must keep its precision: only a file can say so, and what was read can be given to other
# nodes.
_PRECISE = b"""<net name="precise" version="11">
<layers>
<layer id="0" name="in" type="Parameter" version="opset1">
<data shape="1" element_type="f32"/><rt_info><attribute name="precise" version="0"/></rt_info>
<output><port id="0" precision="FP32"><dim>1</dim></port></output></layer>
<layer id="1" name="out" type="Result" version="opset1"><input><port id="0" precision="FP32"><dim>1</dim></port></input></layer>
</layers>
<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
</net>"""


class OpenVinoEngine:
    """A compiled model and the requests that run it, one for each thread that is inside at once.

    Fixed shapes are worth up to half the time of a large network, and a batch is not worth compiling for: where only
    the number of items is free, the model is compiled for one and the items of a batch run one after the other.
    """

    def __init__(self, compiled: Any, names: list[str], precision: str, *, one_by_one: bool) -> None:
        """`names` are the outputs': compiled, an output may also bear the name of what it was computed from."""
        self._compiled = compiled
        self._one_by_one = one_by_one
        self._idle: list[Any] = []
        self.name = f"OpenVINO CPU {precision}"
        self.input_names: list[str] = [port.get_any_name() for port in compiled.inputs]
        self.output_names = names

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """All outputs are computed; those not asked for are not copied."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            batch = max(len(values) for values in inputs.values()) if self._one_by_one else 1
            if batch == 1:
                return _infer(request, inputs, outputs)
            items = []
            for index in range(batch):
                one = {
                    name: values[index : index + 1] if len(values) == batch else values
                    for name, values in inputs.items()
                }
                items.append(_infer(request, one, outputs))
            return [np.concatenate(parts) for parts in zip(*items, strict=True)]
        finally:
            self._idle.append(request)


def open_compiled(model: Model, *, low_precision: bool) -> OpenVinoEngine:
    """Compile `model`, in bfloat16 where `low_precision` allows it and the processor has it; raises `ModelError`."""
    core = _core()
    bfloat16 = low_precision and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": model.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        network = core.read_model(model.data)
        names = [port.get_any_name() for port in network.outputs]
        one_by_one = _fix_batch(network)
        _shield_constants(network)
        if bfloat16:
            _keep_fine_exact(core, network)
        compiled = _compile(core, network, settings, None if model.fixed else cache_folder() / "openvino")
    except RuntimeError as error:
        raise ModelError(
            f"{model.path.name} cannot be loaded ({str(error).strip().splitlines()[-1]}).", "Export the model again."
        ) from error
    return OpenVinoEngine(compiled, names, "bf16" if bfloat16 else "fp32", one_by_one=one_by_one)


def _infer(request: Any, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
    request.infer(dict(inputs), share_inputs=True, share_outputs=True)
    # a copy: the request writes its own memory again
    return [np.array(request.get_tensor(name).data) for name in outputs]


def _fix_batch(network: Any) -> bool:
    """Make the number of items 1 where it is all that is free in the shapes; tells whether it was."""
    shapes = {port.get_any_name(): port.partial_shape for port in network.inputs}
    if any(axis.is_dynamic for shape in shapes.values() for axis in list(shape)[1:]):
        return False
    network.reshape({name: [1, *list(shape)[1:]] for name, shape in shapes.items()})
    return True


def _shield_constants(network: Any) -> None:
    """Subtract the negative of what does not depend on the inputs instead of adding it to a convolution, in place.

    OpenVINO (2026.4) lets a convolution write its sum over the other summand, also where that is computed only once:
    from the second run on it would be wrong. It does not do so with differences.
    """
    from openvino import opset13 as operations

    varying: set[str] = set()
    for node in network.get_ordered_ops():
        parents = [value.get_node() for value in node.input_values()]
        kind = node.get_type_name()
        if kind != "Parameter" and (
            kind == "ShapeOf" or not any(parent.get_friendly_name() in varying for parent in parents)
        ):
            continue
        varying.add(node.get_friendly_name())
        if kind != "Add" or node.output(0).partial_shape.is_dynamic:
            continue
        for fixed, convolved in ((0, 1), (1, 0)):
            overwritten = (
                parents[fixed].get_friendly_name() not in varying
                and node.input_value(fixed).shape == node.output(0).shape
            )
            if overwritten and parents[convolved].get_type_name() == "Convolution":
                difference = operations.subtract(
                    node.input_value(convolved), operations.negative(node.input_value(fixed))
                )
                node.output(0).replace(difference.output(0))
                varying.add(difference.get_friendly_name())


def _keep_fine_exact(core: Any, network: Any) -> None:
    """Compute in float32 what is `EXACT_FROM_PX` wide or more in a network that makes a picture, in place.

    A picture's last layers cancel large features, and what bfloat16 rounds there shifts colours (docs/performance.md).
    """
    shapes = [port.partial_shape for port in network.outputs]
    pictures = [
        shape.to_shape()[3] for shape in shapes if shape.is_static and len(shape) == 4 and shape.to_shape()[1] == 3
    ]
    if not pictures:
        return
    exact_from = min(EXACT_FROM_PX, *pictures)
    precise = core.read_model(_PRECISE, b"").get_parameters()[0].get_rt_info()
    for node in network.get_ordered_ops():
        shape = node.output(0).partial_shape
        if (
            node.get_type_name() not in ("Constant", "Result")
            and shape.is_static
            and len(shape) == 4
            and shape.to_shape()[3] >= exact_from
        ):
            for key in precise:
                node.set_rt_info(precise[key], key)


def _compile(core: Any, network: Any, settings: dict[str, Any], folder: Path | None) -> Any:
    """Compile with the cache of compiled models in `folder`; without it where it is None or cannot be written or
    read."""
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return core.compile_model(network, "CPU", settings | {"CACHE_DIR": str(folder)})
        except (OSError, RuntimeError):
            # a full disk, a folder of somebody else, a damaged cache: a graph that is at fault fails below once more
            pass
    return core.compile_model(network, "CPU", settings)


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()
