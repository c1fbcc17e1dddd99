"""The landmark network: where eyes, brows, nose and mouth are in a change crop. It only teaches; it does not ship."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from facechange.model.identity import ResidualBlock

LANDMARK_SIZE = 128
LANDMARKS = 68


class LandmarkNetwork(nn.Module):
    """Change crop [N, 3, R, R] in [-1, 1] to the 68 landmarks of 300-W, [N, 68, 2] in parts of the crop's side; 0.9 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2, 2, bias=False),  # 64²
            ResidualBlock(24, 48, stride=2),  # 32²
            ResidualBlock(48, 96, stride=2),  # 16²
            ResidualBlock(96, 96),
            ResidualBlock(96, 128, stride=2),  # 8²
            ResidualBlock(128, 128),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 32, 1),
        )
        self.head = nn.Linear(32 * 8 * 8, 2 * LANDMARKS)

    def forward(self, crop: Tensor) -> Tensor:
        size = crop.shape[-1]
        if size > LANDMARK_SIZE:
            crop = functional.avg_pool2d(crop, size // LANDMARK_SIZE)
        elif size < LANDMARK_SIZE:
            crop = functional.interpolate(crop, size=LANDMARK_SIZE, mode="bilinear")
        return self.head(self.layers(crop).flatten(1)).float().view(-1, LANDMARKS, 2) + 0.5
