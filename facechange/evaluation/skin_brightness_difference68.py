"""Skin brightness (Fig. 7 of the patent): is the face lighter or darker than it was?"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask

FEATURES = (slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48), slice(48, 60))  # brows, eyes, mouth


def skin_mask68(landmarks68: np.ndarray, size: int) -> np.ndarray:
    """1 on the skin of a face: the hull of `landmarks68` [68, 2] without brows, eyes and mouth; uint8 [size, size]."""
    skin = hull_mask(landmarks68, size)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (size // 64) + 1,) * 2)
    for feature in FEATURES:
        skin[cv2.dilate(hull_mask(landmarks68[feature], size), around) > 0] = 0
    return skin


def skin_brightness_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Difference of the mean luma (0..255, ITU-R BT.601) of the skin in two uint8 [R, R, 3] crops, without its sign."""
    skin = skin_mask68(landmarks68, target.shape[0])
    after, before = (cv2.mean(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), skin)[0] for crop in (changed, target))
    return abs(after - before)
