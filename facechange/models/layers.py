"""The convolution, the linear map and the activation that every network here is made of.

Learning rates are equalised (Karras et al. 2018, section 4.1): stored weights are drawn from N(0, 1) and scaled by He's
constant when used, so that one step size suits every layer. The gain sqrt(2) that keeps the variance through the
activation sits in that constant, which leaves one cheap pointwise operation a layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATION_GAIN = math.sqrt(2.0)
NEGATIVE_SLOPE = 0.2


def activate(feature: Tensor) -> Tensor:
    """Leaky rectifier with slope 0.2; its argument already carries `ACTIVATION_GAIN`."""
    return functional.leaky_relu(feature, NEGATIVE_SLOPE)


def double_size(feature: Tensor) -> Tensor:
    """Bilinear upsampling, [N, C, h, w] => [N, C, 2h, 2w]."""
    return functional.interpolate(feature, scale_factor=2.0, mode="bilinear", align_corners=False)


def halve_size(feature: Tensor) -> Tensor:
    """Mean of every 2 x 2 pixels, [N, C, h, w] => [N, C, h/2, w/2]."""
    return functional.avg_pool2d(feature, 2)


class EqualizedConv2d(nn.Module):
    """A square convolution with bias that keeps the size, activated unless told otherwise; [N, I, h, w] => [N, O, h,
    w]."""

    def __init__(self, channels_in: int, channels_out: int, kernel_px: int = 3, *, activated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel_px, kernel_px))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.activated = activated
        self.scale = (ACTIVATION_GAIN if activated else 1.0) / math.sqrt(channels_in * kernel_px**2)

    def forward(self, feature: Tensor) -> Tensor:
        result = functional.conv2d(feature, self.weight * self.scale, self.bias, padding=self.weight.shape[-1] // 2)
        return activate(result) if self.activated else result


class EqualizedLinear(nn.Module):
    """An affine map with a chosen initial bias, [N, I] => [N, O]."""

    def __init__(self, channels_in: int, channels_out: int, *, initial_bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in))
        self.bias = nn.Parameter(torch.full((channels_out,), initial_bias))
        self.scale = 1.0 / math.sqrt(channels_in)

    def forward(self, feature: Tensor) -> Tensor:
        return functional.linear(feature, self.weight * self.scale, self.bias)
