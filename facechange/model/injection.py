"""One layer of a generator block (Fig. 4): the source's identity modulates a convolution, a mask lets the target in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.model.fused import inject, scale_and_activate
from facechange.model.layers import ACTIVATION_GAIN, Linear, activate, double_size
from facechange.model.presets import IDENTITY_CHANNELS

EPSILON = 1e-8


class IdentityConvolution(nn.Module):
    """F1, identity => F2: a 3 x 3 convolution whose kernel the identity sets (para. 52, steps S1 and S2).

    The kernel W of a sample is W * s with s = affine(identity), divided by its length over inputs and taps (modulation and
    demodulation, Karras et al. 2020, equations 1 and 3). Scaling the inputs by s and the outputs by the reciprocal length
    is the same map, with one kernel for the whole batch.
    """

    def __init__(self, channels_in: int, channels_out: int, *, upsample: bool) -> None:
        super().__init__()
        self.affine = Linear(IDENTITY_CHANNELS, channels_in, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.upsample = upsample

    def control_vectors(self, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of the inputs [N, I] and of the outputs [N, O], in float32 because sums of squares need its range."""
        with torch.autocast(identity.device.type, enabled=False):
            style = self.affine(identity.float())
            energy = self.weight.float().square().sum((2, 3))  # [O, I]
            demodulation = torch.rsqrt(style.square() @ energy.T + EPSILON)
        return style, demodulation

    def forward(self, feature: Tensor, identity: Tensor) -> Tensor:
        """[N, I, h, w] and [N, 512] => [N, O, h, w], or [N, O, 2h, 2w] where the layer upsamples."""
        style, demodulation = self.control_vectors(identity)
        feature = feature * style[:, :, None, None].to(feature.dtype)
        if self.upsample:
            feature = double_size(feature)
        result = functional.conv2d(feature, self.weight, padding=1)
        factor = (demodulation * ACTIVATION_GAIN)[:, :, None, None].to(result.dtype)
        return scale_and_activate(result, factor, self.bias[:, None, None].to(result.dtype))


class ZeroStart(nn.Module):
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


@torch.no_grad()
def fix_masks(model: nn.Module) -> None:
    """Make every M of `model` one half for good, so that half of the attribute features is simply added: the rival without masks."""
    for module in model.modules():
        if isinstance(module, MaskedInjection):
            module.weight.zero_()
            module.bias.zero_()  # sigmoid(0) is 1/2
            module.requires_grad_(False)
