"""The face-change model: attribute network and generator as one (Fig. 3); the identity comes from its own network."""

from __future__ import annotations

from typing import Literal, overload

from torch import Tensor, nn

from facechange.model.attributes import AttributeNetwork
from facechange.model.generator import Generator
from facechange.model.presets import IDENTITY_CHANNELS, find_preset


class FaceChanger(nn.Module):
    """Target crop and source identity => the target's crop with the source's face.

    Raises `ModelError` where there is no such preset or size.
    """

    def __init__(self, preset: str, size_px: int) -> None:
        super().__init__()
        channels = find_preset(preset).changer_channels(size_px)
        self.preset = preset
        self.size_px = size_px
        self.measures_px = tuple(channels)
        self.attributes = AttributeNetwork(channels)
        self.generator = Generator(channels)

    @overload
    def forward(self, target: Tensor, identity: Tensor, with_masks: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, target: Tensor, identity: Tensor, with_masks: Literal[True]) -> tuple[Tensor, list[Tensor]]: ...
    def forward(self, target: Tensor, identity: Tensor, with_masks: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Change faces.

        `target` is [N, 3, R, R] in [-1, 1], `identity` [N, 512] of length 1. Gives Y [N, 3, R, R], nominally in [-1, 1] but
        not clipped, and on demand every control mask [N, 1, h, h] in [0, 1], coarse to fine, two a measure.
        """
        assert target.shape[1:] == (3, self.size_px, self.size_px), target.shape
        assert identity.shape == (len(target), IDENTITY_CHANNELS), identity.shape
        changed, masks = self.generator(identity, self.attributes(target))
        return (changed, masks) if with_masks else changed
