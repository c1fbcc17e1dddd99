"""Teeth, eye whites, grey pictures, wrinkles and mouths, against values worked out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facechange.faces.geometry import hull_mask
from facechange.faces.mean_face68 import read_mean_face
from facechange.metrics.expression import mouth_opening_error68
from facechange.metrics.fidelity import (
    chroma_grey_crop,
    eye_white_colour_difference68,
    teeth_colour_difference68,
    to_grey,
    wrinkle_correlation_skin68,
)
from facechange.metrics.pose import Pose68

SIZE_PX = 192


@pytest.fixture
def open68(face68: np.ndarray) -> np.ndarray:
    """The mean face at 192 px with the mouth wide open."""
    landmarks = face68 * 2
    landmarks[[65, 66, 67, 55, 56, 57, 58, 59], 1] += 16
    return landmarks


def distance(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    """Of two colours in CIELAB."""
    lab = cv2.cvtColor(np.float32([[first, second]]) / 255, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


def paint(landmarks: np.ndarray, rows: slice, colour: tuple[int, int, int]) -> np.ndarray:
    """A brown face with `colour` in the upper half of the hull of those landmarks, and black below."""
    crop = np.full((SIZE_PX, SIZE_PX, 3), (150, 110, 90), np.uint8)
    inside = hull_mask(landmarks[rows], SIZE_PX) > 0
    crop[inside] = 0
    upper = inside & (np.arange(SIZE_PX)[:, None] <= np.nonzero(inside)[0].mean())
    crop[upper] = colour
    return crop


def test_tinted_teeth_are_measured_and_a_shut_mouth_is_not(open68: np.ndarray, face68: np.ndarray) -> None:
    white, yellow = (220, 215, 210), (210, 190, 120)
    crops = [paint(open68, slice(60, 68), colour) for colour in (white, yellow)]
    assert teeth_colour_difference68(crops[1], crops[0], open68) == pytest.approx(distance(white, yellow), rel=0.02)
    assert teeth_colour_difference68(crops[0], crops[0], open68) == 0
    assert np.isnan(teeth_colour_difference68(crops[1], crops[0], face68 * 2))


def test_grey_green_eye_whites_are_measured_and_shut_eyes_are_not(open68: np.ndarray) -> None:
    white, green = (225, 220, 215), (150, 175, 150)
    whole, degraded = (
        np.maximum(paint(open68, slice(36, 42), colour), paint(open68, slice(42, 48), colour))
        for colour in (white, green)
    )
    shut = open68.copy()
    shut[[37, 38, 43, 44], 1] = shut[[41, 40, 47, 46], 1]
    left = paint(open68, slice(36, 42), white), paint(open68, slice(36, 42), green)
    half_shut = open68.copy()
    half_shut[[43, 44], 1] = half_shut[[47, 46], 1]
    assert whole.shape == degraded.shape
    assert eye_white_colour_difference68(left[1], left[0], half_shut) == pytest.approx(distance(white, green), rel=0.02)
    assert np.isnan(eye_white_colour_difference68(left[1], left[0], shut))


def test_a_grey_result_has_no_chroma_and_a_tinted_one_its_own() -> None:
    grey = to_grey(np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8))
    assert (grey[..., 0] == grey[..., 2]).all()
    assert chroma_grey_crop(grey) == 0
    tinted = np.full((32, 32, 3), (130, 120, 110), np.uint8)
    lab = cv2.cvtColor(tinted[:1, :1].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    assert chroma_grey_crop(tinted) == pytest.approx(np.hypot(lab[1], lab[2]), abs=0.05)
    assert chroma_grey_crop(tinted) > 5


def test_lines_that_stay_correlate_whatever_the_light_and_lost_ones_do_not(open68: np.ndarray) -> None:
    random = np.random.default_rng(0)
    lines, others = (cv2.GaussianBlur(random.normal(0, 60, (SIZE_PX, SIZE_PX)), (0, 0), 1.2) for _ in range(2))

    def draw(values: np.ndarray, light: float) -> np.ndarray:
        return np.repeat(np.clip(light + values, 0, 255)[..., None], 3, 2).astype(np.uint8)

    target = draw(lines, 128)
    assert wrinkle_correlation_skin68(draw(lines, 150), target, open68) > 0.98
    assert abs(wrinkle_correlation_skin68(draw(others, 128), target, open68)) < 0.15
    assert wrinkle_correlation_skin68(draw(0 * lines, 128), target, open68) == 0
    assert wrinkle_correlation_skin68(draw((lines + others) / np.sqrt(2), 128), target, open68) == pytest.approx(
        0.71, abs=0.08
    )


def test_a_mouth_opened_by_a_tenth_of_its_width_is_ten_percent() -> None:
    frontal = read_mean_face()[0][:, :2]
    opened = frontal.copy()
    opened[[65, 66, 67], 1] += 0.1 * (frontal[54, 0] - frontal[48, 0])
    assert mouth_opening_error68(Pose68(np.eye(3), opened), Pose68(np.eye(3), frontal)) == pytest.approx(10)
