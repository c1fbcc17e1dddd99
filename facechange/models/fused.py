"""The two pointwise steps of an injection layer with backward passes written by hand.

At fine measures these steps, not the convolutions, take most of a training step's time: they are bound by memory.
Autograd would keep and re-read a full map for every multiplication; the formulas below read each map as few times as
can be. The plain functions say the same without them: they serve the export and are the tests' reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from facechange.models.layers import NEGATIVE_SLOPE, activate


def scale_and_activate_plain(feature: Tensor, factor: Tensor, bias: Tensor) -> Tensor:
    """activate(feature * factor + bias) for [N, C, h, w], [N, C, 1, 1] and [C, 1, 1]."""
    return activate(torch.addcmul(bias, feature, factor))


def inject_plain(feature: Tensor, attributes: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """M = sigmoid(conv1x1(concat(F2, f_att))) and F3 = F2 + M * f_att => F3 [N, C, h, w], M [N, 1, h, w].

    `weight` is [1, 2C, 1, 1], F2's half first. A 1 x 1 convolution of a concatenation is the sum of two, which spares
    the copy.
    """
    of_feature, of_attributes = weight.chunk(2, dim=1)
    mask = torch.sigmoid(functional.conv2d(feature, of_feature, bias) + functional.conv2d(attributes, of_attributes))
    return torch.addcmul(feature, mask, attributes), mask


class _ScaleAndActivate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feature: Tensor, factor: Tensor, bias: Tensor) -> Tensor:
        result = functional.leaky_relu_(torch.addcmul(bias, feature, factor), NEGATIVE_SLOPE)
        ctx.save_for_backward(feature, factor, result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        feature, factor, result = ctx.saved_tensors
        # The slope is positive, so the sign of the result is that of its argument.
        gradient = torch.ops.aten.leaky_relu_backward(gradient, result, NEGATIVE_SLOPE, True)
        of_factor = (gradient * feature).sum((2, 3), keepdim=True)
        return gradient * factor, of_factor, gradient.sum((0, 2, 3))[:, None, None]


class _Inject(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feature: Tensor, attributes: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        injected, mask = inject_plain(feature, attributes, weight, bias)
        ctx.save_for_backward(feature, attributes, weight, mask)
        return injected, mask

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, of_mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        feature, attributes, weight, mask = ctx.saved_tensors
        of_mask = of_mask + (gradient * attributes).sum(1, keepdim=True)
        of_logit = of_mask * mask * (1 - mask)
        by_feature, by_attributes = weight.chunk(2, dim=1)
        of_feature = torch.addcmul(gradient, of_logit, by_feature)
        of_attributes = torch.addcmul(gradient * mask, of_logit, by_attributes)
        of_weight = torch.cat((_correlate(feature, of_logit), _correlate(attributes, of_logit)))[None, :, None, None]
        return of_feature, of_attributes, of_weight, of_logit.float().sum().to(weight.dtype).reshape(1)


def _correlate(feature: Tensor, weight: Tensor) -> Tensor:
    """Sum of [N, C, h, w] over pictures and pixels, each weighted by [N, 1, h, w] => [C]."""
    rows = feature.permute(0, 2, 3, 1).reshape(-1, feature.shape[1])
    return (rows.T @ weight.permute(0, 2, 3, 1).reshape(-1, 1)).squeeze(1)


def _differentiates_by_hand() -> bool:
    """A compiler fuses the plain forms by itself."""
    return torch.is_grad_enabled() and not torch.compiler.is_compiling()


def scale_and_activate(feature: Tensor, factor: Tensor, bias: Tensor) -> Tensor:
    """As `scale_and_activate_plain`, cheaper to differentiate."""
    if _differentiates_by_hand():
        return _ScaleAndActivate.apply(feature, factor, bias)
    return scale_and_activate_plain(feature, factor, bias)


def inject(feature: Tensor, attributes: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """As `inject_plain`, cheaper to differentiate."""
    if _differentiates_by_hand():
        return _Inject.apply(feature, attributes, weight, bias)
    return inject_plain(feature, attributes, weight, bias)
