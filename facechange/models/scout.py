"""The face scout: a thin, fully convolutional, anchor-free detector of boxes and five points.

One cell, one detection, as in CenterNet (Zhou et al. 2019) and YuNet (Wu et al. 2023); three strides joined by a
feature pyramid (Lin et al. 2017). What the maps mean is defined once, in `faces.scout_maps`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facechange.faces.scout_maps import CHANNELS, STRIDES

WIDTHS = (16, 16, 32, 64, 96)  # channels at strides 2, 4, 8, 16, 32
PYRAMID_WIDTH = 32
PRIOR_LOGIT = -4.6  # the score starts at 1 %: most cells hold no face


class ConvolutionLayer(nn.Sequential):
    """3×3 (or 1×1) convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class ScoutNetwork(nn.Module):
    """`picture` [N, 3, H, W] float32 in [-1, 1], H and W multiples of 32 => maps [N, 15, H / s, W / s] for s in 8, 16,
    32."""

    def __init__(self) -> None:
        super().__init__()
        two, four, eight, sixteen, thirty_two = WIDTHS
        self.stem = nn.Sequential(ConvolutionLayer(3, two, 2), ConvolutionLayer(two, four, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(
                ConvolutionLayer(before, after, 2), ConvolutionLayer(after, after), ConvolutionLayer(after, after)
            )
            for before, after in ((four, eight), (eight, sixteen), (sixteen, thirty_two))
        )
        self.laterals = nn.ModuleList(
            ConvolutionLayer(width, PYRAMID_WIDTH, kernel=1) for width in (eight, sixteen, thirty_two)
        )
        self.heads = nn.ModuleList(
            nn.Sequential(ConvolutionLayer(PYRAMID_WIDTH, PYRAMID_WIDTH), _detection_layer()) for _ in STRIDES
        )

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(picture)
        features = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            features.append(lateral(x))
        for level in (1, 0):  # from coarse to fine
            features[level] = features[level] + F.interpolate(features[level + 1], scale_factor=2.0, mode="nearest")
        return tuple(head(feature) for head, feature in zip(self.heads, features, strict=True))


def _detection_layer() -> nn.Conv2d:
    """1×1 convolution to a cell's detection, starting from a low score and a box of the stride's own size."""
    layer = nn.Conv2d(PYRAMID_WIDTH, CHANNELS, 1)
    nn.init.normal_(layer.weight, std=0.01)
    layer.bias = nn.Parameter(torch.tensor([PRIOR_LOGIT] + [0.0] * (CHANNELS - 1)))
    return layer


def export_scout_graph(scout: ScoutNetwork, path: Path) -> None:
    """Write `scout` as an ONNX graph: `picture` [N, 3, H, W] to `stride_8`, `stride_16`, `stride_32`, any N, H, W."""
    from facechange.models.export import export_graph

    axes = {"picture": {0: "n", 2: "height", 3: "width"}} | {
        f"stride_{stride}": {0: "n", 2: f"height_{stride}", 3: f"width_{stride}"} for stride in STRIDES
    }
    export_graph(scout, path, {"picture": torch.zeros(1, 3, 64, 64)}, axes, half=False)
