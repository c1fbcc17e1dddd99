"""An exported graph gives PyTorch's numbers."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from facechange.core import ModelError, hash_file, load_card
from facechange.models.export import export_program, export_swapper, output_names, withstands_bfloat16
from facechange.models.face_change import FaceChangeNetwork
from facechange.runtime import graph_path, load_graph
from facechange.runtime.pytorch import place_program


def halved(model: FaceChangeNetwork) -> FaceChangeNetwork:
    """The model with its larger parameters rounded as `half` stores them."""
    for parameter in model.parameters():
        if parameter.numel() >= 256:
            parameter.data = parameter.data.half().float()
    return model


@pytest.mark.parametrize("half", [False, True])
def test_graph_equals_pytorch_whatever_the_batch(tmp_path: Path, half: bool) -> None:
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64).train()
    path = tmp_path / "swapper.onnx"
    export_swapper(model, path, half=half)
    assert model.training
    if half:
        model = halved(model)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == output_names(model)
    for pictures in (1, 3):
        target, identity = (
            torch.rand(pictures, 3, 64, 64) * 2 - 1,
            functional.normalize(torch.randn(pictures, 512), dim=1),
        )
        got = session.run(None, {"target": target.numpy(), "identity": identity.numpy()})
        with torch.no_grad():
            changed, masks = model(target, identity, with_masks=True)
        for array, tensor in zip(got, [changed, *masks], strict=True):
            assert np.abs(array - tensor.numpy()).max() < 1e-3


def test_halved_weights_halve_the_file(tmp_path: Path) -> None:
    model = FaceChangeNetwork("tiny", 64)
    export_swapper(model, tmp_path / "whole.onnx")
    export_swapper(model, tmp_path / "half.onnx", half=True)
    spared = (tmp_path / "whole.onnx").stat().st_size - (tmp_path / "half.onnx").stat().st_size
    assert spared > 1.8 * sum(parameter.numel() for parameter in model.parameters())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["half.onnx", "whole.onnx"]


def test_output_names_follow_the_masks() -> None:
    assert output_names(FaceChangeNetwork("tiny", 64))[:4] == ["changed", "mask_4_1", "mask_4_2", "mask_8_1"]


def test_bfloat16_is_refused_where_it_shows() -> None:
    class Large(nn.Module):
        """The picture on top of a large constant, whose bits bfloat16 spends on it."""

        def __init__(self, constant: float) -> None:
            super().__init__()
            self.pass_on = nn.Conv2d(3, 3, 1)
            nn.init.dirac_(self.pass_on.weight)
            nn.init.constant_(self.pass_on.bias, constant)

        def forward(self, picture: Tensor) -> Tensor:
            return self.pass_on(picture).float() - self.pass_on.bias[0]

    assert withstands_bfloat16(Large(0.0), 64)
    assert not withstands_bfloat16(Large(10.0), 64)
    kept = Large(10.0)
    assert withstands_bfloat16(kept, 64, precise=[kept.pass_on])
    assert not withstands_bfloat16(kept, 64)  # nothing of it stays


@pytest.mark.slow
@pytest.mark.parametrize("bfloat16", [False, True])
def test_program_equals_the_graph_it_belongs_to(
    tmp_path: Path, describe_swapper: Callable[[Path], None], bfloat16: bool
) -> None:
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64)
    path = tmp_path / "swapper.onnx"
    export_swapper(model, path)
    describe_swapper(path)
    program = export_program(model, path, bfloat16=bfloat16)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["swapper.json", "swapper.onnx", "swapper.pt2"]
    graph, twin = load_graph(path, 1, "cpu"), load_graph(path, 1, "pytorch")
    assert twin.output_names == graph.output_names and twin.engine == f"PyTorch CPU {'bf16' if bfloat16 else 'fp32'}"
    for pictures in (1, 3):
        target = torch.rand(pictures, 3, 64, 64).numpy() * 2 - 1
        identity = functional.normalize(torch.randn(1, 512), dim=1).numpy()
        expected = graph.run({"target": target, "identity": identity.repeat(pictures, 0)})
        target.flags.writeable = False
        with warnings.catch_warnings(action="error"):
            found = twin.bake({"identity": identity}).run({"target": target})
        assert all(values.dtype == np.float32 and values.flags.c_contiguous for values in found.values())
        differences = {name: np.abs(expected[name] - found[name]) for name in expected}
        if bfloat16:
            assert 0 < np.sqrt(np.square(differences["changed"]).mean()) < 0.01 * np.ptp(expected["changed"])
        else:
            assert max(difference.max() for difference in differences.values()) < 1e-4
    _run_on_a_gpu_that_is_not_there(program)
    export_swapper(FaceChangeNetwork("tiny", 64), path)
    describe_swapper(path)
    with pytest.raises(ModelError, match="does not belong"):
        load_graph(path, 1, "pytorch")
    program.write_bytes(b"PK")
    with pytest.raises(ModelError, match="not a program"):
        load_graph(path, 1, "pytorch")


def _run_on_a_gpu_that_is_not_there(program: Path) -> None:
    """Shapes, types and devices of a run on CUDA are worked out, and nothing is computed."""
    read = torch.export.load(program)
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        network = place_program(read, torch.device("cuda:0"))
        changed, *masks = network(torch.zeros(3, 3, 64, 64, device="cuda:0"), torch.zeros(3, 512, device="cuda:0"))
    assert changed.shape == (3, 3, 64, 64) and {output.device.type for output in (changed, *masks)} == {"cuda"}


@pytest.fixture
def describe_swapper() -> Callable[[Path], None]:
    """Writes the card that a graph of 64 pixels needs."""

    def describe(path: Path) -> None:
        shipped = load_card(graph_path("facechange-256").with_suffix(".json"))
        replace(shipped, size_px=64, sha256=hash_file(path)).save(path.with_suffix(".json"))

    return describe
