"""Steadiness of changed videos, on points and frames whose movement is known."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from facechange.metrics.temporal import crop_departures, crop_jitter, warp_differences, warp_error

POINTS = np.array([[40.0, 40], [80, 40], [60, 60], [45, 80], [75, 80]])


def test_even_movement_is_no_jitter_and_noise_is() -> None:
    walk = np.stack([POINTS + np.array([3 * i, -2 * i]) for i in range(30)])
    assert crop_departures(walk) == pytest.approx(np.zeros(28), abs=1e-9)
    rng = np.random.default_rng(0)
    small, large = (crop_departures(walk + rng.normal(0, sigma, (30, 1, 2))) for sigma in (0.2, 0.8))
    # White noise of sigma on both axes has a second difference of sqrt(6 * 2) sigma; the side is 4 eye distances.
    assert np.sqrt((small**2).mean()) == pytest.approx(np.sqrt(12) * 0.2 / 160, rel=0.3)
    assert crop_jitter(large, small) == pytest.approx(4, rel=0.4)


def test_frames_without_the_face_and_their_neighbours_do_not_count() -> None:
    walk = np.stack([POINTS + np.array([3 * i, -2 * i]) for i in range(12)])
    walk[5] = np.nan
    departures = crop_departures(walk)
    assert np.flatnonzero(np.isnan(departures)).tolist() == [3, 4, 5]
    assert np.nanmax(departures) < 1e-9


def test_an_original_that_stands_still_leaves_the_ratios_finite() -> None:
    assert crop_jitter(np.full(3, 0.01), np.zeros(3)) == pytest.approx(100)
    assert warp_error(np.zeros(3), np.zeros(3)) == 0


def test_warp_error_sees_flicker_that_the_source_has_not() -> None:
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (140, 200, 3)).astype(np.uint8), (0, 0), 3)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    source = [np.ascontiguousarray(scene[10:130, 10 + 2 * i : 150 + 2 * i]) for i in range(6)]
    steady = [cv2.convertScaleAbs(frame, alpha=0.8, beta=20) for frame in source]  # another look, moving alike
    flicker = [cv2.convertScaleAbs(frame, alpha=0.8, beta=20 + 12 * (i % 2)) for i, frame in enumerate(source)]
    pairs = {
        name: list(zip(pairwise(source), pairwise(video), strict=True))
        for name, video in (("quiet", steady), ("loud", flicker))
    }
    found = {
        name: np.array([warp_differences(*original, *changed) for original, changed in of])
        for name, of in pairs.items()
    }
    assert (found["quiet"][:, 1] == found["loud"][:, 1]).all()
    quiet, loud = (warp_error(*found[name].T) for name in ("quiet", "loud"))
    assert quiet < 1.1
    assert loud > 3 * quiet
