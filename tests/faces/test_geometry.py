"""Transforms, templates and crops by number."""

import cv2
import numpy as np
import pytest

from facechange.faces.align import warp_crop
from facechange.faces.geometry import (
    ARCFACE_POINTS_112,
    estimate_similarity,
    ffhq_crop_matrix,
    hull_mask,
    identity_crop_matrix,
    invert,
    roll_degrees,
    scale_of,
    transform_points,
)

POINTS = np.array([[200.0, 240], [320, 240], [262, 310], [210, 365], [312, 365]])


def turn(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


@pytest.mark.parametrize("degrees", [-170, -35, 0, 80])
def test_a_known_similarity_is_found_again(degrees: float) -> None:
    matrix = turn(degrees, 0.7, (12, -5))
    assert np.allclose(estimate_similarity(POINTS, transform_points(POINTS, matrix)), matrix)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = POINTS * [-1, 1]
    assert np.linalg.det(estimate_similarity(mirrored, POINTS)[:, :2]) > 0


def test_the_identity_crop_puts_the_template_on_the_points() -> None:
    placed = transform_points(ARCFACE_POINTS_112, turn(25, 2.0, (40, 60)))
    assert np.allclose(transform_points(placed, identity_crop_matrix(placed)), ARCFACE_POINTS_112)


@pytest.mark.parametrize("degrees", [0, 40, -90])
def test_the_ffhq_crop_turns_with_the_face(degrees: float) -> None:
    placed = transform_points(POINTS, turn(degrees, 1.3, (300, 200)))
    inside = transform_points(placed, ffhq_crop_matrix(placed, 256))
    assert abs(roll_degrees(inside)) < 1
    eyes, mouth = inside[:2].mean(0), inside[3:].mean(0)
    assert np.allclose((eyes + (mouth - eyes) * 0.1), 127.5)
    assert np.hypot(*(inside[1] - inside[0])) == pytest.approx(256 / 4, rel=0.02)  # two eye distances on each side


def test_matrices_invert() -> None:
    first = turn(30, 2, (5, 6))
    assert np.allclose(transform_points(transform_points(POINTS, first), invert(first)), POINTS)
    assert scale_of(first) == pytest.approx(2)


def test_roll_is_clockwise() -> None:
    assert roll_degrees(transform_points(POINTS, turn(30, 1, (0, 0)))) == pytest.approx(30)


def test_hull_mask_is_one_inside_only() -> None:
    mask = hull_mask(np.array([[10, 10], [50, 10], [50, 40], [10, 40], [30, 25]]), 64)
    assert mask[25, 30] == 1 and mask[5, 5] == 0 and mask[50, 30] == 0
    assert mask.sum() == 41 * 31


def test_a_small_crop_of_a_large_picture_is_averaged() -> None:
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = warp_crop(stripes, turn(0, 0.1, (0, 0)), 80)
    assert abs(crop[2:-2, 2:-2].astype(int) - 128).max() <= 2


def test_a_crop_lies_where_its_matrix_says() -> None:
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8), (0, 0), 8)
    for shrink in (1, 3.7):
        matrix = turn(20, 1 / shrink, (30 / shrink, -20 / shrink))
        crop = warp_crop(picture, matrix, int(200 / shrink))
        place = np.array([[100.0, 100], [120, 90]])
        for (x, y), (u, v) in zip(place, transform_points(place, matrix), strict=True):
            assert (
                np.abs(
                    cv2.getRectSubPix(crop, (1, 1), (u, v)).astype(int) - cv2.getRectSubPix(picture, (1, 1), (x, y))
                ).max()
                <= 8
            )
