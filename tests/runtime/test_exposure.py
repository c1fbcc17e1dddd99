"""Exposure: a face's median comes to where it is wanted, and back to what it was."""

import numpy as np

from facechange.runtime.exposure import LUMA, expose, find_exponents


def draw_crop(level: float) -> np.ndarray:
    crop = np.random.default_rng(0).uniform(0.5, 1.5, (64, 64, 3)).astype(np.float32) * level
    crop[:16] = 1  # a bright wall is no part of the face
    return crop.clip(0, 1)


def test_dark_and_bright_faces_come_to_one_exposure_and_back() -> None:
    crops = np.stack([draw_crop(level) for level in (0.2, 0.4, 0.65)])
    exponents = find_exponents(crops, 0.647)
    exposed = expose(crops, exponents)
    medians = np.median(exposed[:, 25:51, 21:43] @ LUMA, axis=(1, 2))
    assert np.allclose(medians[1:], 0.647, atol=0.01) and exponents[0] == np.float32(0.4), "the darkest as far as it may"
    assert np.abs(expose(exposed, 1 / exponents) - crops).max() < 1e-3


def test_black_and_white_crops_are_left_finite() -> None:
    crops = np.stack([np.zeros((64, 64, 3), np.float32), np.ones((64, 64, 3), np.float32)])
    exponents = find_exponents(crops, 0.647)
    back = expose(expose(crops, exponents), 1 / exponents)
    assert np.isfinite(back).all() and np.abs(back - crops).max() < 1e-3
