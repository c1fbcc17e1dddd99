"""The attribute network: a U-shaped encoder and decoder that gives the target's features at every measure (paras 33-37)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facechange.model.layers import Convolution, double_size, halve_size
from facechange.model.presets import ChannelTable

COARSEST_PX = 4


class AttributeNetwork(nn.Module):
    """Target picture => attribute features `f_att`, as wide at each measure as the generator's block.

    Layers carry their measure in their names, so that a network of more measures finds those of a smaller one.
    """

    def __init__(self, channels: ChannelTable) -> None:
        super().__init__()
        finest_px = max(channels)
        finer_px = [px for px in channels if px > COARSEST_PX]
        # Encoder and upsampled features are half as wide as f_att, so that each concatenation is just as wide.
        half = {px: count // 2 for px, count in channels.items()}
        self.measures_px = tuple(channels)
        self.from_rgb = nn.ModuleDict({str(finest_px): Convolution(3, half[finest_px])})
        self.encoder = nn.ModuleDict({str(px): Convolution(half[2 * px], half[px]) for px in channels if px < finest_px})
        self.bottleneck = Convolution(half[COARSEST_PX], channels[COARSEST_PX])
        self.reduction = nn.ModuleDict({str(px): Convolution(channels[px // 2], half[px], kernel_px=1, activated=False) for px in finer_px})
        self.decoder = nn.ModuleDict({str(px): Convolution(channels[px], channels[px]) for px in finer_px})

    def forward(self, target: Tensor) -> list[Tensor]:
        """[N, 3, R, R] in [-1, 1] => `f_att`, a list of [N, C, h, h] from 4 pixels to R."""
        finest_px = self.measures_px[-1]
        encoded = {finest_px: self.from_rgb[str(finest_px)](target)}
        for px in reversed(self.measures_px[:-1]):
            encoded[px] = self.encoder[str(px)](halve_size(encoded[2 * px]))
        attributes = [self.bottleneck(encoded[COARSEST_PX])]
        for px in self.measures_px[1:]:
            attributes.append(self.decode(px, attributes[-1], encoded[px]))
        return attributes

    def decode(self, px: int, coarser: Tensor, encoded: Tensor) -> Tensor:
        """`f_att` at `px` from that of half as many pixels and the encoder's feature of `px`."""
        decoded = double_size(self.reduction[str(px)](coarser))
        return self.decoder[str(px)](torch.cat((decoded, encoded), dim=1))
