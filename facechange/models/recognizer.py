"""A differentiable MobileFaceNet: the recognizer that losses look through (Chen et al. 2018).

The weights are not part of the project; give the path of a safetensors file with foamliu/MobileFaceNet's tensor names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facechange.core import ModelError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# expansion, channels, repeats, first stride
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class MobileFaceNet(nn.Module):
    """Aligned crop [N, 3, 112, 112] in [-1, 1] (ArcFace template) to a unit vector [N, 128]; frozen, batch norms
    folded."""

    scale: Tensor
    shift: Tensor

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        fold = _folder(tensors)
        self.stem = nn.Sequential(
            fold("conv1.0", "conv1.1", stride=2, padding=1),
            nn.ReLU6(),
            fold("dw_conv.depthwise", "dw_conv.bn1", padding=1),
            nn.ReLU(),
            fold("dw_conv.pointwise", "dw_conv.bn2"),
            nn.ReLU(),
        )
        blocks, index, previous = [], 0, 64
        for _expansion, channels, repeats, first_stride in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                blocks.append(
                    _InvertedResidual(fold, f"features.{index}.conv", stride, stride == 1 and previous == channels)
                )
                index, previous = index + 1, channels
        self.blocks = nn.Sequential(*blocks)
        self.widen = nn.Sequential(fold("conv2.0", "conv2.1"), nn.ReLU6())
        self.pool = fold("gdconv.depthwise", "gdconv.bn")
        self.head: nn.Module = fold("conv3", "bn")
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.register_buffer("scale", (0.5 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", ((0.5 - mean) / std).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def features(self, crop: Tensor) -> Tensor:
        """The last map before pooling, [N, 512, 7, 7]."""
        return self.widen(self.blocks(self.stem(crop * self.scale + self.shift)))

    def embed(self, features: Tensor) -> Tensor:
        """Unit vectors [N, 128] from `features`."""
        return functional.normalize(self.head(self.pool(features)).flatten(1).float(), dim=1)

    def forward(self, crop: Tensor) -> Tensor:
        return self.embed(self.features(crop))


class RecognizerIdentity(nn.Module):
    """MobileFaceNet as an identity network: its 512 features after pooling, before the head that narrows them to 128.

    A linear map of these, fitted on synthetic faces, gives another recognizer's vectors of people that neither has
    seen; the 128 do so far less (docs/training.md).
    """

    def __init__(self, recognizer: MobileFaceNet) -> None:
        """Takes `recognizer` over, without its head."""
        super().__init__()
        recognizer.head = nn.Identity()
        self.recognizer = recognizer

    def view(self, crop: Tensor) -> Tensor:
        """Unit vectors [N, 512] of the crops [N, 3, 112, 112] as they are: half the cost, for losses."""
        pooled = self.recognizer.pool(self.recognizer.features(crop))
        return functional.normalize(pooled.flatten(1).float(), dim=1)

    def forward(self, crop: Tensor) -> Tensor:
        """`f_id`: the mean over the crop and its mirror image."""
        return functional.normalize(self.view(crop) + self.view(crop.flip(-1)), dim=1)


class _InvertedResidual(nn.Module):
    """Widen 1×1, depthwise 3×3, narrow 1×1, with a skip where shapes agree."""

    def __init__(self, fold: Callable[..., nn.Conv2d], name: str, stride: int, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.layers = nn.Sequential(
            fold(f"{name}.0.0", f"{name}.0.1"),
            nn.ReLU6(),
            fold(f"{name}.1.0", f"{name}.1.1", stride=stride, padding=1),
            nn.ReLU6(),
            fold(f"{name}.2", f"{name}.3"),
        )

    def forward(self, features: Tensor) -> Tensor:
        out = self.layers(features)
        return features + out if self.skip else out


def _folder(tensors: dict[str, Tensor]) -> Callable[..., nn.Conv2d]:
    """A function that makes the convolution `conv` with the batch norm `norm` folded into it."""

    def fold(conv: str, norm: str, stride: int = 1, padding: int = 0) -> nn.Conv2d:
        weight, bias = tensors[f"{conv}.weight"], tensors.get(f"{conv}.bias")
        depthwise = weight.shape[1] == 1
        layer = nn.Conv2d(
            weight.shape[0] if depthwise else weight.shape[1],
            weight.shape[0],
            weight.shape[-1],
            stride,
            padding,
            groups=weight.shape[0] if depthwise else 1,
            bias=bias is not None,
        )
        batch_norm = nn.BatchNorm2d(weight.shape[0])
        layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
        batch_norm.load_state_dict(
            {k: tensors[f"{norm}.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}, strict=False
        )
        return fuse_conv_bn_eval(layer.eval(), batch_norm.eval())

    return fold


def blank_tensors() -> dict[str, Tensor]:
    """Every tensor of MobileFaceNet by foamliu's name, without what it learned: for a network whose weights come from
    elsewhere."""
    tensors: dict[str, Tensor] = {}

    def add(conv: str, norm: str, out: int, inputs: int, kernel: int) -> None:
        tensors[f"{conv}.weight"] = torch.zeros(out, inputs, kernel, kernel)
        tensors.update({f"{norm}.{name}": torch.zeros(out) for name in ("weight", "bias", "running_mean")})
        tensors[f"{norm}.running_var"] = torch.ones(out)

    add("conv1.0", "conv1.1", 64, 3, 3)
    add("dw_conv.depthwise", "dw_conv.bn1", 64, 1, 3)
    add("dw_conv.pointwise", "dw_conv.bn2", 64, 64, 1)
    index, previous = 0, 64
    for expansion, channels, repeats, _first_stride in STAGES:
        for _ in range(repeats):
            name, wide = f"features.{index}.conv", previous * expansion
            add(f"{name}.0.0", f"{name}.0.1", wide, previous, 1)
            add(f"{name}.1.0", f"{name}.1.1", wide, 1, 3)
            add(f"{name}.2", f"{name}.3", channels, wide, 1)
            index, previous = index + 1, channels
    add("conv2.0", "conv2.1", 512, previous, 1)
    add("gdconv.depthwise", "gdconv.bn", 512, 1, 7)
    add("conv3", "bn", 128, 512, 1)
    tensors["conv3.bias"] = torch.zeros(128)
    return tensors


def holds_recognizer(path: Path) -> bool:
    """Whether the file `path` has MobileFaceNet's tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return "gdconv.depthwise.weight" in set(file.keys())
    except (OSError, SafetensorError):
        return False


def load_recognizer(path: Path) -> MobileFaceNet:
    """Read the recognizer; raises `ModelError` where the file is missing or holds something else."""
    from safetensors.torch import load_file

    try:
        return MobileFaceNet(load_file(path))
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"{path} holds no MobileFaceNet ({error}).", "Give the safetensors file of the recognizer."
        ) from None
    except Exception as error:  # safetensors raises its own type
        raise ModelError(
            f"{path} is not a safetensors file ({error}).", "Give the safetensors file of the recognizer."
        ) from None
