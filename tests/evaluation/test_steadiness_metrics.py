import cv2
import numpy as np
import pytest

from facechange.evaluation.crop_jitter import crop_jitter
from facechange.evaluation.warp_error import warp_error

POINTS = np.array([[40.0, 40], [80, 40], [60, 60], [45, 80], [75, 80]])


def test_even_movement_is_no_jitter_and_noise_is() -> None:
    walk = np.stack([POINTS + np.array([3 * i, -2 * i]) for i in range(30)])
    assert crop_jitter(walk) == pytest.approx(0, abs=1e-9)
    rng = np.random.default_rng(0)
    small, large = (crop_jitter(walk + rng.normal(0, sigma, (30, 1, 2))) for sigma in (0.2, 0.8))
    # White noise of sigma on both axes has a second difference of sqrt(6 * 2) sigma; the side is 4 eye distances.
    assert small == pytest.approx(np.sqrt(12) * 0.2 / 160, rel=0.3)
    assert large == pytest.approx(4 * small, rel=0.4)


def test_warp_error_sees_flicker_that_the_source_has_not() -> None:
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (140, 200, 3)).astype(np.uint8), (0, 0), 3)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    source = [np.ascontiguousarray(scene[10:130, 10 + 2 * i : 150 + 2 * i]) for i in range(6)]
    steady = [cv2.convertScaleAbs(frame, alpha=0.8, beta=20) for frame in source]  # another look, moving alike
    flicker = [cv2.convertScaleAbs(frame, alpha=0.8, beta=20 + 12 * (i % 2)) for i, frame in enumerate(source)]
    quiet, own = warp_error(source, steady)
    loud, same = warp_error(source, flicker)
    assert own == same
    assert quiet < 1.1 * own
    assert loud > 3 * quiet
