"""Structural similarity of crops: what PSNR does not see, such as lost texture."""

from __future__ import annotations

import cv2
import numpy as np

SIGMA_PX = 1.5


def ssim_crop(changed: np.ndarray, target: np.ndarray, where: np.ndarray | None = None) -> float:
    """SSIM (Wang et al. 2004, Gaussian window of 1.5 px) of the luma of two uint8 [H, W, 3] crops: 1 where they are equal.

    Only pixels where `where` [H, W] is not 0 count; it must keep at least one.
    """
    first, second = (cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) for crop in (changed, target))
    first_mean, second_mean = _blur(first), _blur(second)
    first_variance = _blur(first * first) - first_mean**2
    second_variance = _blur(second * second) - second_mean**2
    covariance = _blur(first * second) - first_mean * second_mean
    steady_mean, steady_variance = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * first_mean * second_mean + steady_mean) * (2 * covariance + steady_variance)
    likeness /= (first_mean**2 + second_mean**2 + steady_mean) * (first_variance + second_variance + steady_variance)
    return float(likeness.mean() if where is None else likeness[where.astype(bool)].mean())


def _blur(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (11, 11), SIGMA_PX, borderType=cv2.BORDER_REFLECT)
