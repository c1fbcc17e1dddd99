"""Shapes, finite values, a gradient on every parameter, and fixed outputs of the whole networks."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facechange.core import ModelError
from facechange.models.discriminator import Discriminator, minibatch_stddev
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.presets import PRESETS, RESOLUTIONS, find_preset


def make_inputs(pictures: int, size_px: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(size_px)
    target = torch.rand(pictures, 3, size_px, size_px, generator=random) * 2 - 1
    return target, functional.normalize(torch.randn(pictures, 512, generator=random), dim=1)


@pytest.mark.parametrize("size_px", [64, 256, 1024])
def test_swapper_gives_a_picture_and_two_masks_a_measure(size_px: int) -> None:
    target, identity = make_inputs(1, size_px)
    with torch.no_grad():
        changed, masks = FaceChangeNetwork("tiny", size_px)(target, identity, with_masks=True)
    assert changed.shape == target.shape and torch.isfinite(changed).all()
    measures = [px for px in RESOLUTIONS if px <= size_px for _ in (1, 2)]
    assert [tuple(mask.shape) for mask in masks] == [(1, 1, px, px) for px in measures]
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in masks)
    assert 0.35 < torch.stack([mask.mean() for mask in masks]).mean() < 0.65


def test_every_parameter_of_the_swapper_receives_a_gradient() -> None:
    model = FaceChangeNetwork("tiny", 64)
    changed, masks = model(*make_inputs(2, 64), with_masks=True)
    (changed.square().mean() + sum(mask.mean() for mask in masks)).backward()
    missing = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert missing == []
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)


def test_identity_matters_and_batching_does_not() -> None:
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64).eval()
    target, identity = make_inputs(2, 64)
    with torch.no_grad():
        together = model(target, identity)
        alone = model(target[1:], identity[1:])
        swapped = model(target, identity.flip(0))
    assert torch.allclose(together[1:], alone, atol=1e-5)
    assert (together - swapped).abs().mean() > 0.01


def test_bfloat16_stays_close_to_float32() -> None:
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64)
    target, identity = make_inputs(2, 64)
    with torch.no_grad():
        exact = model(target, identity)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(target, identity)
    assert (rounded.float() - exact).abs().max() < 0.1 * exact.std() + 0.05


@torch.no_grad()
def test_golden_output() -> None:
    model = FaceChangeNetwork("tiny", 64)
    for number, parameter in enumerate(model.parameters()):
        noise = torch.arange(parameter.numel(), dtype=torch.float64).mul(12.9898).add(number).sin()
        parameter.copy_(noise.reshape(parameter.shape))
    target = torch.arange(3 * 64 * 64, dtype=torch.float64).mul(78.233).sin().float().reshape(1, 3, 64, 64)
    changed, masks = model(target, torch.full((1, 512), 512**-0.5), with_masks=True)
    assert changed[0, :, 31, 17].tolist() == pytest.approx(GOLDEN_PIXEL, abs=1e-3)
    assert [mask.mean().item() for mask in masks[:3]] == pytest.approx(GOLDEN_MASKS, abs=1e-4)


GOLDEN_PIXEL = [-8.36974, 6.84891, -8.67782]
GOLDEN_MASKS = [0.582953, 0.242822, 0.134910]


def test_discriminator_gives_a_logit_and_its_features() -> None:
    preset = find_preset("tiny")
    model = Discriminator(preset.discriminator_channels(64))
    target, _ = make_inputs(4, 64)
    target.requires_grad_()
    logit, features = model(target)
    assert logit.shape == (4, 1)
    assert [feature.shape[-1] for feature in features] == [32, 16, 8, 4]
    # R1 differentiates the gradient's length once more.
    (gradient,) = torch.autograd.grad(logit.sum(), target, create_graph=True)
    (logit.mean() + gradient.square().sum()).backward()
    missing = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert missing == []


def test_deviation_is_nothing_for_a_batch_of_one_picture_repeated() -> None:
    same = torch.randn(1, 3, 4, 4).expand(4, -1, -1, -1)
    assert minibatch_stddev(same)[:, 3].abs().max() < 1e-3
    spread = torch.randn(6, 3, 4, 4)  # six do not divide into groups of four: one group
    expected = (spread.var(0, unbiased=False) + 1e-8).sqrt().mean()
    assert torch.allclose(minibatch_stddev(spread)[:, 3], expected.expand(6, 4, 4))


def test_every_preset_covers_every_measure() -> None:
    assert all(len(preset.swapper) == len(preset.discriminator) == len(RESOLUTIONS) for preset in PRESETS.values())


def test_unknown_preset_and_size_name_the_choices() -> None:
    with pytest.raises(ModelError, match="tiny, small, mid, wide"):
        FaceChangeNetwork("huge", 64)
    with pytest.raises(ModelError, match="64, 128, 256, 512, 1024"):
        FaceChangeNetwork("tiny", 100)
