"""What covers a face hides it, is counted in M_bg, and goes where the face goes."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facechange.training.occluders import KINDS, capsule, cover_scenes, superellipse
from facechange.training.scenes import Scenes

POINTS = torch.tensor([[48.0, 60.0], [80.0, 60.0], [64.0, 76.0], [50.0, 92.0], [78.0, 92.0]])


def cover(kind: str, pictures: Tensor, points: Tensor = POINTS, seed: int = 0) -> Scenes:
    """`pictures` [N, 3, S, S] covered, with faces all over and textures of noise."""
    count, _, size, _ = pictures.shape
    scenes = Scenes(
        pictures, points.expand(count, 5, 2), torch.zeros(count, 1, size, size), torch.zeros(count, 1, size, size)
    )
    noise = torch.randint(0, 256, (5, 3, 32, 32), generator=torch.Generator().manual_seed(9), dtype=torch.uint8)
    return cover_scenes(scenes, torch.Generator().manual_seed(seed), kind, noise)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_covered_is_in_the_mask_and_what_is_not_only_gets_a_shadow(kind: str) -> None:
    pictures = torch.rand(12, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, other = cover(kind, pictures), cover(kind, torch.full_like(pictures, -0.5))
    assert torch.equal(one.background, other.background)
    hidden, open_ = one.background == 1, one.background == 0
    assert hidden.any() and open_.flatten(1).any(1).all()
    assert ((one.pictures - other.pictures).abs() * hidden).max() < 1e-6, "the face shows through"
    assert ((one.pictures - pictures) * open_).max() < 1e-6, "it got lighter beside the occluder"
    assert ((one.pictures + 1) * open_ >= (pictures + 1) * open_ * 0.54).all()
    assert one.pictures.abs().max() <= 1 + 1e-5 and one.pictures.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_with_the_face_and_keeps_its_shape_at_any_size(kind: str) -> None:
    pictures = torch.zeros(6, 3, 128, 128)
    here = cover(kind, pictures).background
    there = cover(kind, pictures, POINTS + torch.tensor([5.0, -3.0])).background
    assert torch.allclose(there[..., 20:100, 20:100], here[..., 23:103, 15:95], atol=1e-3)
    large = cover(kind, torch.zeros(6, 3, 256, 256), (POINTS + 0.5) * 2 - 0.5).background
    assert (functional.avg_pool2d(large, 2) - here).abs().mean() < 0.02


def test_only_what_lies_before_the_face_counts_as_covering_it() -> None:
    pictures, left = torch.zeros(4, 3, 128, 128), torch.zeros(4, 1, 128, 128)
    left[..., :64] = 1
    noise = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    half = Scenes(pictures, POINTS.expand(4, 5, 2), left, torch.zeros_like(left))  # the left half is background already
    covered = cover_scenes(half, torch.Generator().manual_seed(0), "scarf", noise)
    assert covered.covered[..., :64].max() == 0
    assert torch.equal(covered.covered[..., 64:], covered.background[..., 64:]) and covered.covered.max() == 1


def test_distances() -> None:
    x = torch.linspace(-2, 2, 81).view(1, 1, 1, 81).expand(1, 1, 81, 81)
    place = torch.cat([x, x.mT], 1)
    zero = torch.zeros(1, 2, 1, 1)
    assert torch.allclose(capsule(place, zero, zero + 1e-6, 0.5), torch.hypot(x, x.mT) - 0.5, atol=1e-4)
    one = torch.ones(1, 1, 1, 1)
    assert torch.allclose(superellipse(x, x.mT, one, one, one * 2), torch.hypot(x, x.mT) - 1, atol=2e-3)
