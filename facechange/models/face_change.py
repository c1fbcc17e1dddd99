"""The face-change network, from its operators to the whole (Fig. 3 and 4; paras 33-61).

A target goes through the attribute network, a U that gives its features at every resolution. The generator starts from
zeros at 4 pixels; in each of its layers the source's identity modulates a convolution, and a learned mask lets the
target's features in. The identity comes from a network of its own.
"""

from __future__ import annotations

import math
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.models.fused import inject, scale_and_activate
from facechange.models.layers import (
    ACTIVATION_GAIN,
    EqualizedConv2d,
    EqualizedLinear,
    activate,
    double_size,
    halve_size,
)
from facechange.models.presets import IDENTITY_CHANNELS, ChannelTable, find_preset

EPSILON = 1e-8  # keeps a demodulation finite
COARSEST_PX = 4


class ModulatedConv2d(nn.Module):
    """F1, identity => F2: a 3 x 3 convolution whose kernel the identity sets (para. 52, steps S1 and S2).

    The kernel W of a sample is W * s with s = affine(identity), divided by its length over inputs and taps (modulation
    and demodulation, Karras et al. 2020, equations 1 and 3). Scaling the inputs by s and the outputs by the reciprocal
    length is the same map, with one kernel for the whole batch.
    """

    def __init__(self, channels_in: int, channels_out: int, *, upsample: bool) -> None:
        super().__init__()
        self.affine = EqualizedLinear(IDENTITY_CHANNELS, channels_in, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.upsample = upsample

    def styles(self, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of the inputs [N, I] and of the outputs [N, O], in float32 because sums of squares need its range."""
        with torch.autocast(identity.device.type, enabled=False):
            style = self.affine(identity.float())
            energy = self.weight.float().square().sum((2, 3))  # [O, I]
            demodulation = torch.rsqrt(style.square() @ energy.T + EPSILON)
        return style, demodulation

    def forward(self, feature: Tensor, identity: Tensor) -> Tensor:
        """[N, I, h, w] and [N, 512] => [N, O, h, w], or [N, O, 2h, 2w] where the layer upsamples."""
        style, demodulation = self.styles(identity)
        feature = feature * style[:, :, None, None].to(feature.dtype)
        if self.upsample:
            feature = double_size(feature)
        result = functional.conv2d(feature, self.weight, padding=1)
        factor = (demodulation * ACTIVATION_GAIN)[:, :, None, None].to(result.dtype)
        return scale_and_activate(result, factor, self.bias[:, None, None].to(result.dtype))


class ConstantInput(nn.Module):
    """F2 of the very first layer, whose F1 is all zeros (para. 49).

    Any convolution of zeros is zero, so of that layer only the bias is left; a kernel here would never see a gradient.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, attributes: Tensor) -> Tensor:
        """A feature as large as `attributes`, [N, C, h, w]."""
        bias = activate(self.bias * ACTIVATION_GAIN).to(attributes.dtype)
        return bias[:, None, None].expand_as(attributes)


class MaskedInjection(nn.Module):
    """F2, f_att => F3 = F2 + M * f_att with M = sigmoid(conv1x1(concat(F2, f_att))) (paras 53-59, steps S2 to S4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2 * channels))  # F2's half first
        self.bias = nn.Parameter(torch.zeros(1))
        self.scale = (2 * channels) ** -0.5

    def forward(self, feature: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor]:
        """Two of [N, C, h, w] => F3 [N, C, h, w] and M [N, 1, h, w] in [0, 1], 1 where the target is kept."""
        weight = (self.weight * self.scale)[None, :, None, None]
        return inject(feature, attributes, weight.to(feature.dtype), self.bias.to(feature.dtype))


class AttributeNetwork(nn.Module):
    """Target picture => attribute features `f_att`, as wide at each resolution as the generator's block.

    Layers carry their resolution in their names, so that a network of more resolutions finds those of a smaller one.
    """

    def __init__(self, channels: ChannelTable) -> None:
        super().__init__()
        finest_px = max(channels)
        finer_px = [px for px in channels if px > COARSEST_PX]
        # Encoder and upsampled features are half as wide as f_att, so that each concatenation is just as wide.
        half = {px: count // 2 for px, count in channels.items()}
        self.resolutions = tuple(channels)
        self.from_rgb = nn.ModuleDict({str(finest_px): EqualizedConv2d(3, half[finest_px])})
        self.encoder = nn.ModuleDict(
            {str(px): EqualizedConv2d(half[2 * px], half[px]) for px in channels if px < finest_px}
        )
        self.bottleneck = EqualizedConv2d(half[COARSEST_PX], channels[COARSEST_PX])
        self.reduction = nn.ModuleDict(
            {str(px): EqualizedConv2d(channels[px // 2], half[px], kernel_px=1, activated=False) for px in finer_px}
        )
        self.decoder = nn.ModuleDict({str(px): EqualizedConv2d(channels[px], channels[px]) for px in finer_px})

    def forward(self, target: Tensor) -> list[Tensor]:
        """[N, 3, R, R] in [-1, 1] => `f_att`, a list of [N, C, h, h] from 4 pixels to R."""
        finest_px = self.resolutions[-1]
        encoded = {finest_px: self.from_rgb[str(finest_px)](target)}
        for px in reversed(self.resolutions[:-1]):
            encoded[px] = self.encoder[str(px)](halve_size(encoded[2 * px]))
        attributes = [self.bottleneck(encoded[COARSEST_PX])]
        for px in self.resolutions[1:]:
            attributes.append(self.decode(px, attributes[-1], encoded[px]))
        return attributes

    def decode(self, px: int, coarser: Tensor, encoded: Tensor) -> Tensor:
        """`f_att` at `px` from that of half as many pixels and the encoder's feature of `px`."""
        decoded = double_size(self.reduction[str(px)](coarser))
        return self.decoder[str(px)](torch.cat((decoded, encoded), dim=1))


class FirstBlock(nn.Module):
    """Block 1, at 4 pixels: its first layer starts from zeros."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.start = ConstantInput(channels)
        self.first_injection = MaskedInjection(channels)
        self.second = ModulatedConv2d(channels, channels, upsample=False)
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
        self.first = ModulatedConv2d(channels_in, channels, upsample=True)
        self.first_injection = MaskedInjection(channels)
        self.second = ModulatedConv2d(channels, channels, upsample=False)
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
        self.blocks = nn.ModuleDict(
            {str(px): Block(channels[px // 2], channels[px]) for px in channels if px > coarsest_px}
        )
        self.to_rgb = nn.ModuleDict(
            {str(finest_px): EqualizedConv2d(channels[finest_px], 3, kernel_px=1, activated=False)}
        )

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


class FaceChangeNetwork(nn.Module):
    """Target crop and source identity => the target's crop with the source's face.

    Raises `ModelError` where there is no such preset or size.
    """

    def __init__(self, preset: str, size_px: int) -> None:
        super().__init__()
        channels = find_preset(preset).swapper_channels(size_px)
        self.preset = preset
        self.size_px = size_px
        self.resolutions = tuple(channels)
        self.attributes = AttributeNetwork(channels)
        self.generator = Generator(channels)

    @overload
    def forward(self, target: Tensor, identity: Tensor, with_masks: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, target: Tensor, identity: Tensor, with_masks: Literal[True]) -> tuple[Tensor, list[Tensor]]: ...
    def forward(
        self, target: Tensor, identity: Tensor, with_masks: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Change faces.

        `target` is [N, 3, R, R] in [-1, 1], `identity` [N, 512] of length 1. Gives Y [N, 3, R, R], nominally in [-1, 1]
        but not clipped, and on demand every control mask [N, 1, h, h] in [0, 1], coarse to fine, two a resolution.
        """
        assert target.shape[1:] == (3, self.size_px, self.size_px), target.shape
        assert identity.shape == (len(target), IDENTITY_CHANNELS), identity.shape
        changed, masks = self.generator(identity, self.attributes(target))
        return (changed, masks) if with_masks else changed


@torch.no_grad()
def fix_masks(model: nn.Module) -> None:
    """Make every M of `model` one half for good, so that half of the attribute features is simply added: the baseline
    without masks."""
    for module in model.modules():
        if isinstance(module, MaskedInjection):
            module.weight.zero_()
            module.bias.zero_()  # sigmoid(0) is 1/2
            module.requires_grad_(False)
