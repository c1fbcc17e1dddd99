"""SSIM where nothing may change: outside the convex hull of the target's 68 landmarks."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.ssim import ssim_crop
from facechange.faces.geometry import hull_mask


def ssim_outside_hull68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """SSIM of uint8 [R, R, 3] crops outside the hull of `landmarks68` [68, 2], given in crop pixels."""
    return ssim_crop(changed, target, 1 - hull_mask(landmarks68, target.shape[0]))
