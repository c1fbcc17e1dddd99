"""Wrinkles (Fig. 7 of the patent): do the lines of the skin lie where the target's lay?"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.evaluation.skin_brightness_difference68 import skin_mask68

FINE, COARSE = 1 / 256, 1 / 64  # of the side: finer is noise, coarser is light


def wrinkle_correlation_skin68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Correlation of the luma of two uint8 [R, R, 3] crops between two blurs, on the skin; 1 is every line kept, 0 none.

    The skin is the hull of the target's `landmarks68` [68, 2] without brows, eyes and mouth.
    """
    skin = skin_mask68(landmarks68, target.shape[0]) > 0
    after, before = (_lines(crop)[skin] for crop in (changed, target))
    after, before = after - after.mean(), before - before.mean()
    return float((after * before).sum() / max(float(np.linalg.norm(after) * np.linalg.norm(before)), 1e-9))


def _lines(crop: np.ndarray) -> np.ndarray:
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), crop.shape[0] * share) for share in (FINE, COARSE))
    return fine - coarse
