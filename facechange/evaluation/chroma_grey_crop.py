"""Grey pictures: does the model colour a target that has no colour?"""

from __future__ import annotations

import cv2
import numpy as np


def to_grey(crop: np.ndarray) -> np.ndarray:
    """`crop` uint8 [R, R, 3] without its colour: luma three times."""
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def chroma_grey_crop(changed: np.ndarray) -> float:
    """Mean chroma in CIELAB of a uint8 [R, R, 3] crop whose target was grey; 0 is right."""
    lab, grey = (cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for crop in (changed, to_grey(changed)))
    colour = lab[..., 1:] - grey[..., 1:]  # OpenCV's conversion gives grey a trace of colour too
    return float(np.hypot(colour[..., 0], colour[..., 1]).mean())
