"""Lift the exposure of dark faces before a face-change model sees them, and take it back after: cameras and skins
differ."""

from __future__ import annotations

import cv2
import numpy as np

# Where the face lies in the FFHQ-style crop (faces.geometry.ffhq_crop_matrix), in parts of the side: top, bottom, left,
# right.
FACE = (0.38, 0.8, 0.32, 0.68)
EXPONENTS = (0.5, 1.0)  # dark faces alone are lifted, and not so far that their noise would be stretched
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def find_exponents(crops: np.ndarray, median: float) -> np.ndarray:
    """The exponents [N] that lift the median luma of the face in each crop to `median`, as far as `EXPONENTS` go.

    `crops` are [N, R, R, 3], float32 in [0, 1].
    """
    top, bottom, left, right = (round(part * crops.shape[1]) for part in FACE)
    step = max(crops.shape[1] // 128, 1)  # a median needs no more
    found = np.median(crops[:, top:bottom:step, left:right:step] @ LUMA, axis=(1, 2))
    return np.clip(np.log(median) / np.log(np.clip(found, 0.02, 0.98)), *EXPONENTS).astype(np.float32)


def expose(crops: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """`crops` [N, R, R, 3], float32 in [0, 1], each to the power of its exponent; with the reciprocals it goes back."""
    return np.stack([cv2.pow(crop, float(exponent)) for crop, exponent in zip(crops, exponents, strict=True)])
