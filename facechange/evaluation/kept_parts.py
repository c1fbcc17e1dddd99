"""What must stay as the target had it, of one changed crop: every metric of a pair that needs no judge."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.eye_white_colour_difference68 import eye_white_colour_difference68
from facechange.evaluation.psnr_outside_hull68 import psnr_outside_hull68
from facechange.evaluation.sharpness_ratio_hull68 import sharpness_ratio_hull68
from facechange.evaluation.skin_brightness_difference68 import skin_brightness_difference68
from facechange.evaluation.skin_colour_difference68 import skin_colour_difference68
from facechange.evaluation.ssim_outside_hull68 import ssim_outside_hull68
from facechange.evaluation.teeth_colour_difference68 import teeth_colour_difference68
from facechange.evaluation.wrinkle_correlation_skin68 import wrinkle_correlation_skin68

OUTSIDE = (psnr_outside_hull68, ssim_outside_hull68)
INSIDE = (
    skin_brightness_difference68,
    skin_colour_difference68,
    wrinkle_correlation_skin68,
    sharpness_ratio_hull68,
    teeth_colour_difference68,
    eye_white_colour_difference68,
)


def compare_outside(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> dict[str, float]:
    """Metrics by name of the surroundings, of uint8 [R, R, 3] crops with the target's `landmarks68` [68, 2]."""
    return {metric.__name__: metric(changed, target, landmarks68) for metric in OUTSIDE}


def compare_inside(changed: np.ndarray, target: np.ndarray, landmarks68: np.ndarray) -> dict[str, float]:
    """Metrics by name of the face, of uint8 [R, R, 3] crops with the target's `landmarks68` [68, 2]; NaN where there is none."""
    return {metric.__name__: metric(changed, target, landmarks68) for metric in INSIDE}
