"""Geometry of the batched warps against OpenCV's, and ranges."""

import cv2
import numpy as np
import torch

from facechange.faces.geometry import identity_crop_matrix
from facechange.training import augment
from facechange.training.face_batch import crop_identity


def test_identity_matrices_are_those_of_the_slow_reference() -> None:
    points = torch.rand(4, 5, 2) * 100 + torch.tensor([[38.0, 52], [74, 51], [56, 72], [42, 92], [71, 92]])
    fast = augment.identity_matrices(points)
    for ours, given in zip(fast, points, strict=True):
        assert np.allclose(ours, identity_crop_matrix(given.numpy()), atol=1e-3)


def test_warp_is_opencvs() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8), (9, 9), 3)
    matrix = np.array([[0.9, 0.3, -12.0], [-0.3, 0.9, 20.0]])
    reference = cv2.warpAffine(image, matrix, (64, 64), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    pictures = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    ours = augment.warp(pictures, torch.from_numpy(matrix)[None].float(), 64)[0].permute(1, 2, 0)
    assert np.abs(ours.numpy() - reference)[2:-2, 2:-2].max() < 2


def test_a_large_picture_gives_the_same_identity_crop_as_its_half() -> None:
    small = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 16), size=256, mode="bicubic")
    points = torch.tensor([[[90.0, 110], [166, 110], [128, 150], [96, 190], [160, 190]]])
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(crop_identity(small, points), crop_identity(large, points * 2 + 0.5), atol=1e-4)


def test_flipping_moves_points_with_the_picture() -> None:
    pictures = torch.zeros(32, 1, 20, 20)
    pictures[:, :, 5, 3] = 1  # the left eye
    points = torch.tensor([[3.0, 5], [15, 5], [10, 10], [5, 15], [14, 15]]).repeat(32, 1, 1)
    flipped, moved, chosen = augment.flip_some(pictures, points, torch.Generator().manual_seed(0))
    assert 0 < chosen.sum() < 32
    for picture, place, mirrored in zip(flipped, moved, chosen, strict=True):
        eye = place[1] if mirrored else place[0]
        assert picture[0, int(eye[1]), int(eye[0])] == 1


def test_degraded_pictures_stay_in_range() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(8, 3, 32, 32) * 2 - 1
    for degraded in (
        augment.change_light(pictures, generator, 0.8),
        augment.add_noise(pictures, generator, 0.5),
        augment.grey_some(pictures, generator, 0.5),
    ):
        assert degraded.shape == pictures.shape
        assert degraded.abs().max() <= 1 + 1e-5
        assert not torch.equal(degraded, pictures)


def test_what_is_seen_without_colour_is_painted_without_colour() -> None:
    pictures = torch.rand(1, 3, 8, 8, requires_grad=True)
    grey = augment.to_grey(pictures)
    assert torch.equal(grey, grey[:, :1].expand_as(grey))
    (gradient,) = torch.autograd.grad((grey * torch.rand(8, 8)).sum(), pictures)
    assert torch.allclose(gradient, gradient[:, :1].expand_as(gradient)) and gradient.abs().max() > 0.1
