"""HSE's MobileNet out of TensorFlow.js: the layers as TensorFlow computes them, people's middle, what is no such file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from facechange.core import ModelError
from facechange.models.mobilenet import BGR_MEAN, HALVING, MobileNetRecognizer, load_mobilenet


def pool_slowly(values: dict[str, np.ndarray], crop: torch.Tensor) -> torch.Tensor:
    """What the graph says, operator by operator, in float64."""

    def take(name: str) -> torch.Tensor:
        return torch.from_numpy(values[name.replace("/", "|")]).double()

    pixels = functional.interpolate(crop.double(), size=224, mode="bilinear", align_corners=False).flip(1)
    x = pixels * 127.5 + 127.5 - torch.tensor(BGR_MEAN).double().view(1, 3, 1, 1)
    kernel = take("conv1/convolution/merged_input").permute(3, 2, 0, 1)
    x = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), kernel, stride=2)
    x = (x + take("conv1_bn/batchnorm_1/sub").view(1, -1, 1, 1)).clamp(0, 6)
    for index in range(1, 14):
        kernel = take(f"conv_dw_{index}/depthwise_kernel").permute(2, 3, 0, 1)
        halves = index in HALVING
        x = functional.pad(x, (0, 1, 0, 1) if halves else (1, 1, 1, 1))
        x = functional.conv2d(x, kernel, stride=2 if halves else 1, groups=len(kernel))
        norm = f"conv_dw_{index}_bn/batchnorm_1"
        x = (x * take(f"{norm}/mul").view(1, -1, 1, 1) + take(f"{norm}/sub").view(1, -1, 1, 1)).clamp(0, 6)
        x = functional.conv2d(x, take(f"conv_pw_{index}/convolution/merged_input").permute(3, 2, 0, 1))
        x = (x + take(f"conv_pw_{index}_bn/batchnorm_1/sub").view(1, -1, 1, 1)).clamp(0, 6)
    return x.mean((2, 3))


@pytest.fixture
def recognizer(mobilenet_path: Path) -> MobileNetRecognizer:
    return load_mobilenet(mobilenet_path)


def test_vectors_are_what_the_operators_of_the_graph_give(
    recognizer: MobileNetRecognizer, mobilenet_path: Path
) -> None:
    crop = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1
    wanted = functional.normalize(pool_slowly(dict(np.load(mobilenet_path.with_name("values.npz"))), crop), dim=1)
    assert wanted.std() > 1e-3
    assert torch.allclose(recognizer.view(crop).double(), wanted, atol=1e-5)


def test_people_are_told_apart_from_their_middle_and_a_gradient_reaches_the_crop(
    recognizer: MobileNetRecognizer,
) -> None:
    coarse = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1
    people = functional.interpolate(coarse, size=112, mode="bilinear")
    alike = recognizer.view(people)
    recognizer.centre(people)
    crop = people.clone().requires_grad_()
    apart = recognizer.view(crop)
    others = ~torch.eye(6, dtype=torch.bool)
    assert (alike @ alike.T)[others].mean() > 0.5 > (apart @ apart.T)[others].mean()
    assert torch.allclose(apart.norm(dim=1), torch.ones(6), atol=1e-5)
    apart[:, 0].sum().backward()
    assert crop.grad is not None and crop.grad.abs().amax((1, 2, 3)).min() > 0


def test_what_is_no_such_graph_is_refused(mobilenet_path: Path) -> None:
    mobilenet_path.with_name("graph.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match="holds no MobileNet"):
        load_mobilenet(mobilenet_path)
    mobilenet_path.write_text("[]")
    with pytest.raises(ModelError, match="faceres-deep"):
        load_mobilenet(mobilenet_path)
