"""The discriminator: residual convolutions down to 4 pixels (Karras et al. 2020, section 4.1), its features shown."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from facechange.models.layers import ACTIVATION_GAIN, EqualizedConv2d, EqualizedLinear, activate, halve_size
from facechange.models.presets import ChannelTable

DEVIATION_GROUP = 4
HALF_VARIANCE = 0.5**0.5
HEAD_CHANNELS = 64


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, [N, I, h, w] => [N, O, h/2, w/2]."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(channels_in, channels_in)
        self.second = EqualizedConv2d(channels_in, channels_out)
        self.shortcut = EqualizedConv2d(channels_in, channels_out, kernel_px=1, activated=False)

    def forward(self, feature: Tensor) -> Tensor:
        changed = self.second(halve_size(self.first(feature)))
        return (changed + self.shortcut(halve_size(feature))) * HALF_VARIANCE


def minibatch_stddev(feature: Tensor) -> Tensor:
    """Add a channel with the mean deviation within groups of the batch, [N, C, h, w] => [N, C + 1, h, w].

    It shows a lack of variety (Karras et al. 2018, section 3).
    """
    pictures, channels, height, width = feature.shape
    group = DEVIATION_GROUP if pictures % DEVIATION_GROUP == 0 else pictures
    grouped = feature.float().reshape(group, pictures // group, channels, height, width)
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [N / group]
    deviation = deviation.repeat(group).to(feature.dtype)[:, None, None, None]
    return torch.cat((feature, deviation.expand(pictures, 1, height, width)), dim=1)


class FeatureDiscriminator(nn.Module):
    """A small head on each map of a frozen recognizer: how real every place looks (Sauer et al. 2021, Projected GANs).

    What tells brows, eyes and teeth apart is there from the start, so that it objects to wrong ones long before a
    discriminator of pixels that starts from nothing does.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(count, HEAD_CHANNELS, 1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, 3, padding=1)),
                nn.LeakyReLU(0.2),
                nn.Conv2d(HEAD_CHANNELS, 1, 1),
            )
            for count in channels
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps [N, C, h, h] => logits [N, 1, h, h] of each."""
        return [
            head(each * each.float().square().mean((1, 2, 3), keepdim=True).add(1e-4).rsqrt().to(each.dtype))
            for head, each in zip(self.heads, maps, strict=True)
        ]


class Discriminator(nn.Module):
    """Picture => how real it looks, and its features for the feature matching loss (formula 4)."""

    def __init__(self, channels: ChannelTable) -> None:
        super().__init__()
        coarsest_px, finest_px = min(channels), max(channels)
        self.channels = dict(channels)
        self.from_rgb = nn.ModuleDict({str(finest_px): EqualizedConv2d(3, channels[finest_px], kernel_px=1)})
        self.blocks = nn.ModuleDict(
            {str(px): ResidualBlock(channels[px], channels[px // 2]) for px in reversed(channels) if px > coarsest_px}
        )
        width = channels[coarsest_px]
        self.last_convolution = EqualizedConv2d(width + 1, width)
        self.hidden = EqualizedLinear(width * coarsest_px**2, width)
        self.verdict = EqualizedLinear(width, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[N, 3, R, R] in [-1, 1] => logit [N, 1] and each block's output [N, C, h, h], from R/2 down to 4 pixels."""
        (from_rgb,) = self.from_rgb.values()
        feature = from_rgb(picture)
        features = []
        for block in self.blocks.values():
            feature = block(feature)
            features.append(feature)
        feature = self.last_convolution(minibatch_stddev(feature))
        hidden = activate(self.hidden(feature.flatten(1)) * ACTIVATION_GAIN)
        return self.verdict(hidden), features
