"""Exposure: a face's median comes to where it is wanted, and back to what it was."""

import numpy as np

from facechange.runtime.exposure import LUMA, expose, find_exponents


def draw_crop(level: float) -> np.ndarray:
    crop = np.random.default_rng(0).uniform(0.5, 1.5, (64, 64, 3)).astype(np.float32) * level
    crop[:16] = 1  # a bright wall is no part of the face
    return crop.clip(0, 1)


def test_dark_faces_are_lifted_and_come_back_and_bright_ones_stay() -> None:
    crops = np.stack([draw_crop(level) for level in (0.2, 0.4, 0.65)])
    exponents = find_exponents(crops, 0.56)
    exposed = expose(crops, exponents)
    median = np.median(exposed[1, 25:51, 21:43] @ LUMA)
    assert abs(median - 0.56) < 0.01
    assert exponents[0] == np.float32(0.5) and exponents[2] == 1, "the darkest as far as it may"
    assert np.abs(expose(exposed, 1 / exponents) - crops).max() < 1e-3


def test_black_and_white_crops_are_left_finite() -> None:
    crops = np.stack([np.zeros((64, 64, 3), np.float32), np.ones((64, 64, 3), np.float32)])
    exponents = find_exponents(crops, 0.56)
    back = expose(expose(crops, exponents), 1 / exponents)
    assert np.isfinite(back).all() and np.abs(back - crops).max() < 1e-3
