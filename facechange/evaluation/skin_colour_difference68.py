"""Skin colour: has the skin turned purple or green in places, whatever its brightness?"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.evaluation.skin_brightness_difference68 import skin_mask68

BLUR = 1 / 64  # of the side: finer than the shade of a nose, coarser than its pores


def skin_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Mean distance in CIELAB's (a*, b*) between two blurred uint8 [R, R, 3] crops, pixel by pixel over the target's skin."""
    size = target.shape[0]
    after, before = (cv2.GaussianBlur(crop.astype(np.float32) / 255, (0, 0), size * BLUR) for crop in (changed, target))
    moved = cv2.cvtColor(after, cv2.COLOR_RGB2LAB)[..., 1:] - cv2.cvtColor(before, cv2.COLOR_RGB2LAB)[..., 1:]
    return cv2.mean(np.hypot(moved[..., 0], moved[..., 1]), skin_mask68(landmarks68, size))[0]
