"""An exported graph gives PyTorch's numbers."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from facechange.model.export import export_changer, output_names
from facechange.model.face_changer import FaceChanger


def halved(model: FaceChanger) -> FaceChanger:
    """The model with its larger parameters rounded as `half` stores them."""
    for parameter in model.parameters():
        if parameter.numel() >= 256:
            parameter.data = parameter.data.half().float()
    return model


@pytest.mark.parametrize("half", [False, True])
def test_graph_equals_pytorch_whatever_the_batch(tmp_path: Path, half: bool) -> None:
    torch.manual_seed(0)
    model = FaceChanger("tiny", 64).train()
    path = tmp_path / "changer.onnx"
    export_changer(model, path, half=half)
    assert model.training
    if half:
        model = halved(model)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == output_names(model)
    for pictures in (1, 3):
        target, identity = torch.rand(pictures, 3, 64, 64) * 2 - 1, functional.normalize(torch.randn(pictures, 512), dim=1)
        got = session.run(None, {"target": target.numpy(), "identity": identity.numpy()})
        with torch.no_grad():
            changed, masks = model(target, identity, with_masks=True)
        for array, tensor in zip(got, [changed, *masks], strict=True):
            assert np.abs(array - tensor.numpy()).max() < 1e-3


def test_halved_weights_halve_the_file(tmp_path: Path) -> None:
    model = FaceChanger("tiny", 64)
    export_changer(model, tmp_path / "whole.onnx")
    export_changer(model, tmp_path / "half.onnx", half=True)
    spared = (tmp_path / "whole.onnx").stat().st_size - (tmp_path / "half.onnx").stat().st_size
    assert spared > 1.8 * sum(parameter.numel() for parameter in model.parameters())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["half.onnx", "whole.onnx"]


def test_output_names_follow_the_masks() -> None:
    assert output_names(FaceChanger("tiny", 64))[:4] == ["changed", "mask_4_1", "mask_4_2", "mask_8_1"]
