"""Teeth: are they as white, and as bright, as the target's were?"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask

LEAST_OPENING = 0.12  # of the mouth's width between the lips: less shows no teeth
LEAST_PIXELS = 12
BRIGHTEST = 0.4  # of the open mouth: teeth, not the gap behind them


def teeth_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Distance in CIELAB between the teeth of two uint8 [R, R, 3] crops; NaN where the target's mouth is shut.

    Teeth are taken for the brightest part of what lies between the lips by the target's `landmarks68` [68, 2], of each crop its own.
    """
    width = float(np.linalg.norm(landmarks68[54] - landmarks68[48]))
    opening = float(np.linalg.norm(landmarks68[[65, 66, 67]].mean(0) - landmarks68[[61, 62, 63]].mean(0)))
    inside = hull_mask(landmarks68[60:68], target.shape[0]) > 0
    if opening < LEAST_OPENING * width or inside.sum() < LEAST_PIXELS / BRIGHTEST:
        return float("nan")
    return float(np.linalg.norm(brightest_lab(changed, inside, BRIGHTEST) - brightest_lab(target, inside, BRIGHTEST)))


def brightest_lab(crop: np.ndarray, where: np.ndarray, share: float) -> np.ndarray:
    """Mean CIELAB [3] of the brightest `share` of the pixels `where` (bool [R, R]) of a uint8 [R, R, 3] crop."""
    pixels = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[where]
    return pixels[np.argsort(pixels[:, 0])[-max(1, round(share * len(pixels))) :]].mean(0)
