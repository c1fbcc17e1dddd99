"""A grown network computes what the smaller one did, and lets the target's detail in."""

import pytest
import torch
from torch.nn import functional

from facechange.core import ModelError
from facechange.models.discriminator import Discriminator
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import grow_discriminator, grow_swapper
from facechange.models.presets import find_preset


def make_small_swapper() -> FaceChangeNetwork:
    """A swapper whose output lies in [-1, 1] as a trained one's does."""
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64)
    layer = model.generator.to_rgb["64"]
    layer.weight.data *= 0.1
    layer.bias.data.copy_(torch.tensor([0.2, -0.1, 0.0]))
    return model


@torch.no_grad()
def test_a_grown_swapper_adds_the_detail_of_the_target_and_keeps_its_masks() -> None:
    smaller = make_small_swapper()
    larger = grow_swapper(smaller, 256)
    target, identity = torch.rand(2, 3, 256, 256) * 1.2 - 0.6, functional.normalize(torch.randn(2, 512), dim=1)
    expected, masks = smaller(functional.avg_pool2d(target, 4), identity, with_masks=True)
    after, more_masks = larger(target, identity, with_masks=True)
    assert expected.abs().max() < 1
    for shown in (functional.avg_pool2d(target, 2), target):
        detail = shown - smooth(shown)
        assert detail.abs().mean() > 0.05
        detail[..., [0, -1]] = detail[..., [0, -1], :] = 0
        expected = functional.interpolate(expected, scale_factor=2, mode="bilinear") + detail
    assert torch.allclose(after, expected, atol=0.01) and (after - expected).abs().mean() < 1e-4
    assert len(more_masks) == len(masks) + 4
    for mask, same in zip(masks, more_masks, strict=False):
        assert torch.allclose(mask, same, atol=1e-5)


def smooth(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, R, R] blurred by 1, 2, 1 each way; zero beyond the border."""
    kernel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
    return functional.conv2d(pictures, kernel.expand(3, 1, 3, 3), padding=1, groups=3)


def test_every_parameter_of_a_grown_swapper_learns_within_two_steps() -> None:
    model = grow_swapper(make_small_swapper(), 128)
    start = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    target, identity = torch.rand(2, 3, 128, 128) * 2 - 1, functional.normalize(torch.randn(2, 512), dim=1)
    for _ in range(3):
        changed, masks = model(target, identity, with_masks=True)
        loss = (changed - target).abs().mean() + sum(mask.mean() for mask in masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert [name for name, value in model.named_parameters() if torch.equal(value, start[name])] == []


@torch.no_grad()
def test_a_grown_discriminator_recognizers_the_halved_picture_as_before() -> None:
    channels = find_preset("tiny").discriminator_channels
    smaller = Discriminator(channels(64))
    larger = grow_discriminator(smaller, channels(256))
    picture = torch.rand(4, 3, 256, 256) * 2 - 1
    logit, features = smaller(functional.avg_pool2d(picture, 4))
    grown_logit, grown_features = larger(picture)
    assert torch.allclose(logit, grown_logit, atol=1e-4)
    assert torch.allclose(features[0], grown_features[2], atol=1e-4)


def test_growing_to_the_same_size_changes_nothing() -> None:
    model = make_small_swapper()
    assert grow_swapper(model, 64) is model


def test_shrinking_and_other_presets_are_refused() -> None:
    with pytest.raises(ModelError, match="cannot grow to 64"):
        grow_swapper(FaceChangeNetwork("tiny", 128), 64)
    with pytest.raises(ModelError, match="cannot grow into"):
        grow_discriminator(
            Discriminator(find_preset("tiny").discriminator_channels(64)),
            find_preset("small").discriminator_channels(128),
        )
