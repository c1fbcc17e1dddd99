"""The injection layer against a slow reference that builds every sample's kernel, and its hand-written gradients."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facechange.models import fused
from facechange.models.face_change import ConstantInput, FaceChangeNetwork, MaskedInjection, ModulatedConv2d, fix_masks


def convolve_by_sample(layer: ModulatedConv2d, feature: Tensor, identity: Tensor) -> Tensor:
    """Equations 1 and 3 of Karras et al. 2020 as they are printed: one modulated and demodulated kernel a sample."""
    style = functional.linear(identity, layer.affine.weight * layer.affine.scale, layer.affine.bias)
    if layer.upsample:
        feature = functional.interpolate(feature, scale_factor=2, mode="bilinear")
    results = []
    for one, factors in zip(feature, style, strict=True):
        kernel = layer.weight * factors[None, :, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        results.append(functional.conv2d(one[None], kernel, padding=1))
    convolved = torch.cat(results) * math.sqrt(2) + layer.bias[:, None, None]
    return functional.leaky_relu(convolved, 0.2)


@pytest.mark.parametrize("upsample", [False, True])
def test_identity_convolution_equals_kernels_built_by_sample(upsample: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(6, 5, upsample=upsample)
    layer.bias.data.normal_()
    feature, identity = torch.randn(3, 6, 8, 8), torch.randn(3, 512)
    expected = convolve_by_sample(layer, feature, identity)
    for enabled in (False, True):
        with torch.set_grad_enabled(enabled):
            assert torch.allclose(layer(feature, identity), expected, atol=1e-5)


def test_identity_convolution_gradients_equal_those_of_kernels_built_by_sample() -> None:
    torch.manual_seed(1)
    layer = ModulatedConv2d(4, 5, upsample=True)
    feature, identity = torch.randn(2, 4, 4, 4, requires_grad=True), torch.randn(2, 512, requires_grad=True)
    inputs = [feature, identity, *layer.parameters()]
    weight = torch.randn(2, 5, 8, 8)
    fast = torch.autograd.grad((layer(feature, identity) * weight).sum(), inputs)
    slow = torch.autograd.grad((convolve_by_sample(layer, feature, identity) * weight).sum(), inputs)
    for got, expected in zip(fast, slow, strict=True):
        assert torch.allclose(got, expected, atol=1e-4)


def test_injection_equals_a_convolution_of_the_concatenation() -> None:
    torch.manual_seed(2)
    layer = MaskedInjection(5)
    layer.bias.data.normal_()
    feature, attributes = torch.randn(2, 5, 6, 6), torch.randn(2, 5, 6, 6)
    both = torch.cat((feature, attributes), dim=1)
    mask = torch.sigmoid(functional.conv2d(both, (layer.weight * layer.scale)[None, :, None, None], layer.bias))
    injected, got = layer(feature, attributes)
    assert torch.allclose(got, mask, atol=1e-6)
    assert torch.allclose(injected, feature + mask * attributes, atol=1e-6)


def test_a_closed_mask_lets_nothing_of_the_target_in() -> None:
    layer = MaskedInjection(5)
    layer.weight.data.zero_()
    feature, attributes = torch.randn(1, 5, 4, 4), torch.randn(1, 5, 4, 4)
    layer.bias.data.fill_(-50)
    assert torch.allclose(layer(feature, attributes)[0], feature)
    layer.bias.data.fill_(50)
    assert torch.allclose(layer(feature, attributes)[0], feature + attributes)


def test_hand_written_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    feature, attributes = random(2, 3, 4, 4), random(2, 3, 4, 4)
    assert torch.autograd.gradcheck(fused.inject, (feature, attributes, random(1, 6, 1, 1), random(1)))
    assert torch.autograd.gradcheck(fused.scale_and_activate, (feature, random(2, 3, 1, 1), random(3, 1, 1)))


def test_the_start_is_what_a_convolution_of_zeros_gives() -> None:
    start = ConstantInput(3)
    feature = start(torch.zeros(2, 3, 4, 4))
    expected = functional.leaky_relu(start.bias * math.sqrt(2), 0.2)[None, :, None, None].expand(2, 3, 4, 4)
    assert torch.allclose(feature, expected)


def test_fixed_masks_are_one_half_and_stay_so() -> None:
    model = FaceChangeNetwork("tiny", 64)
    fix_masks(model)
    changed, masks = model(torch.rand(1, 3, 64, 64), torch.rand(1, 512), with_masks=True)
    assert all((mask == 0.5).all() for mask in masks)
    changed.sum().backward()
    fixed = [
        parameter
        for module in model.modules()
        if isinstance(module, MaskedInjection)
        for parameter in module.parameters()
    ]
    assert len(fixed) == 2 * len(masks) and all(parameter.grad is None for parameter in fixed)
