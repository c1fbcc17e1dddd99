"""Eye whites: are they as white, and as bright, as the target's were?"""

from __future__ import annotations

import numpy as np

from facechange.evaluation.teeth_colour_difference68 import brightest_lab
from facechange.faces.geometry import hull_mask

LEAST_OPENING = 0.18  # of the eye's width between the lids
LEAST_PIXELS = 12
BRIGHTEST = 0.3  # of the eye: its white, with a spark of light in both crops


def eye_white_colour_difference68(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> float:
    """Distance in CIELAB between the eye whites of two uint8 [R, R, 3] crops, the mean of both eyes; NaN where both are shut.

    The white is taken for the brightest part of an eye by the target's `landmarks68` [68, 2], of each crop its own.
    """
    distances = []
    for eye in (landmarks68[36:42], landmarks68[42:48]):
        opening = np.linalg.norm(eye[[4, 5]].mean(0) - eye[[1, 2]].mean(0)) / max(float(np.linalg.norm(eye[3] - eye[0])), 1e-9)
        inside = hull_mask(eye, target.shape[0]) > 0
        if opening >= LEAST_OPENING and inside.sum() >= LEAST_PIXELS / BRIGHTEST:
            distances.append(np.linalg.norm(brightest_lab(changed, inside, BRIGHTEST) - brightest_lab(target, inside, BRIGHTEST)))
    return float(np.mean(distances)) if distances else float("nan")
