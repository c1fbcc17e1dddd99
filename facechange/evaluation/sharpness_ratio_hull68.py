"""Sharpness: does the changed face show as much fine detail as the target's did at the same resolution?"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask

LEAST_DETAIL = 0.5  # luma levels; a flat target has no detail to keep


def sharpness_ratio_hull68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Detail of the changed face over the target's, inside the hull of `landmarks68` [68, 2]; 1 is as sharp, less is softer.

    Detail is the standard deviation of the luma's Laplacian in uint8 [R, R, 3] crops.
    """
    inside = cv2.erode(hull_mask(landmarks68, target.shape[0]), np.ones((3, 3), np.uint8)).astype(bool)
    after, before = (_detail(crop)[inside].std() for crop in (changed, target))
    return float(after / max(before, LEAST_DETAIL))


def _detail(crop: np.ndarray) -> np.ndarray:
    return cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
