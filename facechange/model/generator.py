"""The generator: blocks from 4 pixels to the picture's size, each letting the target's attributes in twice (Fig. 3 and 4)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from facechange.model.injection import IdentityConvolution, MaskedInjection, ZeroStart
from facechange.model.layers import Convolution
from facechange.model.presets import IDENTITY_CHANNELS, ChannelTable


class FirstBlock(nn.Module):
    """Block 1, at 4 pixels: its first layer starts from zeros."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.start = ZeroStart(channels)
        self.first_injection = MaskedInjection(channels)
        self.second = IdentityConvolution(channels, channels, upsample=False)
        self.second_injection = MaskedInjection(channels)

    def forward(self, identity: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, 512] and [N, C, 4, 4] => F3 of the second layer and both masks."""
        feature, first_mask = self.first_injection(self.start(attributes), attributes)
        feature, second_mask = self.second_injection(self.second(feature, identity), attributes)
        return feature, first_mask, second_mask


class Block(nn.Module):
    """A block of two layers, the first of which doubles the size (para. 54)."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = IdentityConvolution(channels_in, channels, upsample=True)
        self.first_injection = MaskedInjection(channels)
        self.second = IdentityConvolution(channels, channels, upsample=False)
        self.second_injection = MaskedInjection(channels)

    def forward(self, feature: Tensor, identity: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, I, h, w], [N, 512] and [N, C, 2h, 2w] => F3 of the second layer [N, C, 2h, 2w] and both masks."""
        feature, first_mask = self.first_injection(self.first(feature, identity), attributes)
        feature, second_mask = self.second_injection(self.second(feature, identity), attributes)
        return feature, first_mask, second_mask


class Generator(nn.Module):
    """Identity and attribute features => the changed picture and every control mask (paras 41-61)."""

    def __init__(self, channels: ChannelTable) -> None:
        super().__init__()
        coarsest_px, finest_px = min(channels), max(channels)
        self.first_block = FirstBlock(channels[coarsest_px])
        self.blocks = nn.ModuleDict({str(px): Block(channels[px // 2], channels[px]) for px in channels if px > coarsest_px})
        self.to_rgb = nn.ModuleDict({str(finest_px): Convolution(channels[finest_px], 3, kernel_px=1, activated=False)})

    def forward(self, identity: Tensor, attributes: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """[N, 512] of length 1 and `f_att` coarse to fine => Y [N, 3, R, R] and the masks [N, 1, h, h], two a block."""
        feature, masks = self.fuse(identity, attributes)
        return self.colour(feature), masks

    def fuse(self, identity: Tensor, attributes: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The fusion feature of the finest block [N, C, R, R] and all masks."""
        identity = scale_identity(identity)
        feature, *masks = self.first_block(identity, attributes[0])
        for block, attribute in zip(self.blocks.values(), attributes[1:], strict=True):
            feature, *block_masks = block(feature, identity, attribute)
            masks += block_masks
        return feature, masks

    def colour(self, feature: Tensor) -> Tensor:
        """The fusion feature => Y."""
        (to_rgb,) = self.to_rgb.values()
        return to_rgb(feature)


def scale_identity(identity: Tensor) -> Tensor:
    """A vector of length 1 has components of 1 / sqrt(512); the affine maps expect them of size 1."""
    return identity * math.sqrt(IDENTITY_CHANNELS)
