"""What a change must keep, against values worked out by hand: SSIM, brightness, sharpness, occluders; and distances of
crowds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facechange.evaluation.occluders import FACE_SHARE, cover_face
from facechange.faces.geometry import hull_mask
from facechange.metrics.fidelity import (
    CEILING_DB,
    psnr_occluder,
    sharpness_ratio_hull68,
    skin_brightness_difference68,
    skin_colour_difference68,
    skin_mask68,
    ssim_crop,
    ssim_outside_hull68,
)
from facechange.metrics.identity import frechet_distance, frechet_distance_interval

SIZE_PX = 96
NOISE = np.random.default_rng(0).integers(60, 190, (SIZE_PX, SIZE_PX, 3)).astype(np.uint8)


def test_ssim_of_flat_pictures_is_the_formula_of_their_means() -> None:
    first, second = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 150, np.uint8)
    steady = (0.01 * 255) ** 2
    assert ssim_crop(first, second) == pytest.approx((2 * 100 * 150 + steady) / (100**2 + 150**2 + steady), abs=1e-4)
    assert ssim_crop(NOISE, NOISE) == pytest.approx(1, abs=1e-5)
    assert ssim_crop(cv2.GaussianBlur(NOISE, (0, 0), 2), NOISE) < 0.5  # lost texture


def test_outside_the_hull_the_face_does_not_count(face68: np.ndarray) -> None:
    inside, outside = NOISE.copy(), NOISE.copy()
    # beyond the reach of SSIM's window
    eroded = cv2.erode(hull_mask(face68, SIZE_PX), np.ones((13, 13), np.uint8)).astype(bool)
    inside[eroded] = 0
    outside[:20] = 0
    assert ssim_outside_hull68(inside, NOISE, face68) == pytest.approx(1, abs=1e-5)
    assert ssim_outside_hull68(outside, NOISE, face68) < 0.9


def test_brightness_is_that_of_the_skin(face68: np.ndarray) -> None:
    target = np.full((SIZE_PX, SIZE_PX, 3), 100, np.uint8)
    skin = skin_mask68(face68, SIZE_PX).astype(bool)
    assert 0.4 < skin.sum() / hull_mask(face68, SIZE_PX).sum() < 0.9
    painted, darker = target.copy(), target.copy()
    painted[~skin] = 255  # lips, eyes, hair and background
    darker[skin] = 88
    assert skin_brightness_difference68(painted, target, face68) == 0
    assert skin_brightness_difference68(darker, target, face68) == 12


def test_colour_is_that_of_the_skin_and_not_its_brightness(face68: np.ndarray) -> None:
    target = np.full((SIZE_PX, SIZE_PX, 3), 100, np.uint8)
    darker, purple, elsewhere = target - 12, target.copy(), target.copy()
    purple[..., 1] -= 12
    elsewhere[:10, :, 1] = 0
    assert skin_colour_difference68(darker, target, face68) == pytest.approx(0, abs=0.1)
    assert skin_colour_difference68(elsewhere, target, face68) == pytest.approx(0, abs=0.1)
    assert skin_colour_difference68(purple, target, face68) > 5


def test_sharpness_falls_with_blur_and_rises_with_contrast(face68: np.ndarray) -> None:
    assert sharpness_ratio_hull68(NOISE, NOISE, face68) == 1
    assert sharpness_ratio_hull68(cv2.GaussianBlur(NOISE, (0, 0), 1), NOISE, face68) < 0.5
    halved = np.rint(NOISE / 2).astype(np.uint8)
    assert sharpness_ratio_hull68(halved, NOISE, face68) == pytest.approx(0.5, abs=0.02)
    flat = np.full_like(NOISE, 90)
    assert np.isfinite(sharpness_ratio_hull68(NOISE, flat, face68))


@pytest.mark.parametrize("photographs", [[], [np.full((40, 60, 3), (250, 10, 250), np.uint8)]], ids=["drawn", "cut"])
def test_things_before_the_face_are_of_the_size_that_was_promised(
    photographs: list[np.ndarray], face68: np.ndarray
) -> None:
    face = hull_mask(face68, SIZE_PX).astype(bool)
    shapes = set()
    for seed in range(12):
        covered, occluder = cover_face(NOISE, face68, np.random.default_rng(seed), photographs)
        assert FACE_SHARE[0] / 3 < occluder[face].mean() < FACE_SHARE[1]  # the soft rim is not counted
        near = cv2.dilate(occluder, np.ones((15, 15), np.uint8)).astype(bool)
        assert (covered[~near] == NOISE[~near]).all()
        if photographs:
            assert (covered[occluder > 0] == (250, 10, 250)).all()
        assert psnr_occluder(covered, covered, occluder) == CEILING_DB
        assert psnr_occluder(NOISE, covered, occluder) < 20  # a face painted over the thing
        again = cover_face(NOISE, face68, np.random.default_rng(seed), photographs)
        assert (again[0] == covered).all() and (again[1] == occluder).all()
        shapes.add(occluder.tobytes())
    assert len(shapes) == 12


def test_frechet_distance_of_normal_distributions() -> None:
    random = np.random.default_rng(0)
    unit = random.normal(size=(4000, 3))
    unit -= unit.mean(0)
    unit = unit @ np.linalg.inv(np.linalg.cholesky(np.cov(unit.T))).T  # covariance 1, to the last digit
    assert frechet_distance(unit, unit) == pytest.approx(0, abs=1e-9)
    # Means apart by (3, 0, 4): 25. Covariances 1 and 4: trace(1 + 4 - 2 * 2) = 3.
    assert frechet_distance(unit, 2 * unit + (3, 0, 4)) == pytest.approx(28, abs=1e-6)
    assert frechet_distance(unit[:50], 2 * unit) == pytest.approx(frechet_distance(2 * unit, unit[:50]))


def test_the_interval_of_a_frechet_distance_lies_around_it() -> None:
    features = np.random.default_rng(1).normal(size=(120, 8))
    interval = frechet_distance_interval(features + 1, features)
    assert interval.mean == pytest.approx(8)
    assert 0 < interval.low < interval.mean < interval.high
    assert interval == frechet_distance_interval(features + 1, features)
