"""The landmark network: where eyes, brows, nose and mouth are in a change crop. It only teaches; it does not ship."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.models.identity import ResidualBlock

LANDMARK_SIZE = 128
LANDMARKS = 68


class LandmarkNetwork(nn.Module):
    """Change crop [N, 3, R, R] in [-1, 1] to the 68 landmarks of 300-W, [N, 68, 2] in parts of the crop's side; 1.0 M
    parameters.

    Every landmark is the mean place of a map of its own (Sun et al. 2018, integral regression), so it lies where its
    picture is. A fully connected head knows what faces are like instead, and finds on a changed face much of what it
    expects there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 5, 2, 2, bias=False)  # 64²
        self.down32 = ResidualBlock(24, 64, stride=2)
        self.down16 = nn.Sequential(ResidualBlock(64, 96, stride=2), ResidualBlock(96, 96))
        self.down8 = nn.Sequential(ResidualBlock(96, 96, stride=2), ResidualBlock(96, 96))
        self.up16 = ResidualBlock(96, 96)
        self.up32 = ResidualBlock(96, 64)
        self.maps = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, LANDMARKS, 1))

    def forward(self, crop: Tensor) -> Tensor:
        size = crop.shape[-1]
        if size > LANDMARK_SIZE:
            crop = functional.avg_pool2d(crop, size // LANDMARK_SIZE)
        elif size < LANDMARK_SIZE:
            crop = functional.interpolate(crop, size=LANDMARK_SIZE, mode="bilinear")
        at32 = self.down32(self.stem(crop))
        at16 = self.down16(at32)
        at16 = self.up16(at16 + functional.interpolate(self.down8(at16), scale_factor=2.0))
        at32 = at32 + self.up32(functional.interpolate(at16, scale_factor=2.0))
        share = self.maps(at32).float().flatten(2).softmax(2).view(-1, LANDMARKS, *at32.shape[2:])
        middles = (torch.arange(at32.shape[-1], device=crop.device) + 0.5) / at32.shape[-1]
        # No matrix product: autocast would round the places to bfloat16, by as much as results differ from their
        # targets.
        return torch.stack([(share.sum(2) * middles).sum(2), (share.sum(3) * middles).sum(2)], 2)
