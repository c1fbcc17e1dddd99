"""Mouth opening: is the mouth open as far as the target's was?"""

from __future__ import annotations

from facechange.evaluation.expression_error_openings68 import measure_openings
from facechange.evaluation.pose68 import Pose68

MOUTH = 2  # of `measure_openings`


def mouth_opening_error68(changed: Pose68, target: Pose68) -> float:
    """Difference between the lips' distances, in percent of the mouth's width, the pose taken out."""
    return 100 * abs(float(measure_openings(changed.frontal)[MOUTH] - measure_openings(target.frontal)[MOUTH]))
