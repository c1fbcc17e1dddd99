"""What a face expresses, and where it looks: did the eyes close, the mouth open, its corners rise, or the gaze turn?

Landmarks of two people differ by the shape of their faces as well as by their expression, and one picture each does not
tell these apart. So only what says little of the shape is compared, after the pose is taken out.
"""

from __future__ import annotations

import numpy as np

from facechange.faces.mean_face68 import read_mean_face
from facechange.metrics.metric import LANDMARKER, LOWER, metric
from facechange.metrics.pose import Mesh, Pose68

MOUTH = 2  # of `measure_openings`


def measure_openings(frontal: np.ndarray) -> np.ndarray:
    """Opening of the left and the right eye and of the mouth, and the lift of the mouth's corners: [4].

    Each is a part of the width of its eye or mouth, from `frontal` [68, 2] landmarks (`Pose68`).
    """
    below, above = [[41, 40], [47, 46], [67, 66, 65]], [[37, 38], [43, 44], [61, 62, 63]]
    corners = [[36, 39], [42, 45], [48, 54]]
    widths = [abs(frontal[right, 0] - frontal[left, 0]) for left, right in corners]
    gaps = [float(np.mean(frontal[low, 1] - frontal[high, 1])) for low, high in zip(below, above, strict=True)]
    lift = frontal[[62, 66], 1].mean() - frontal[[48, 54], 1].mean()
    return np.array([*gaps, lift]) / np.maximum([*widths, widths[2]], 0.05)


@metric(
    "deviations",
    LOWER,
    "pairs; difference in how far eyes and mouth are open and how high the mouth's corners are, pose taken out, in standard "
    "deviations among faces",
    LANDMARKER,
)
def expression_error_openings68(changed: Pose68, target: Pose68) -> float:
    """Mean difference of the four openings, each in standard deviations among faces.

    0 is the same expression; two people drawn at random differ by about 1.
    """
    difference = measure_openings(changed.frontal) - measure_openings(target.frontal)
    return float(np.mean(np.abs(difference) / read_mean_face()[1]))


@metric(
    "% of its width",
    LOWER,
    "pairs; difference of the lips' distance in percent of the mouth's width, pose taken out",
    LANDMARKER,
)
def mouth_opening_error68(changed: Pose68, target: Pose68) -> float:
    """Is the mouth open as far as the target's was? 0..100 and more."""
    return 100 * abs(float(measure_openings(changed.frontal)[MOUTH] - measure_openings(target.frontal)[MOUTH]))


@metric(
    "% of the eye's width",
    LOWER,
    "pairs; how far the irises moved between the corners of the eyes, by MediaPipe; mean of both eyes in percent of the eye's width. "
    "A picture compressed again already gives the error of the networks alone: see the row *target unchanged*",
)
def gaze_error_iris(changed: Mesh, target: Mesh) -> float:
    """How far the irises moved between the corners of the eyes, the mean of both."""
    return float(100 * np.linalg.norm(changed.irises - target.irises, axis=1).mean())


EXPRESSION = (expression_error_openings68, mouth_opening_error68, gaze_error_iris)
