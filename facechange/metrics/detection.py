"""Is a face found by those who look for faces, and is nothing detected where there is none?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facechange.core import Face
from facechange.metrics.metric import FINDER, HIGHER, LOWER, metric


@metric("%", HIGHER, "share of anonymised crops in which this project's scout, or YuNet, still finds the face", FINDER)
def detected(detections: Sequence[Face], landmarks68: np.ndarray) -> float:
    """100 where one of the faces detected in a crop has its middle in the upright box of the target's `landmarks68`
    [68, 2], else 0."""
    low, high = landmarks68.min(0), landmarks68.max(0)
    middles = [np.array(face.box[:2]) + np.array(face.box[2:]) / 2 for face in detections]
    return 100.0 * any((low <= middle).all() and (middle <= high).all() for middle in middles)


@metric(
    "%",
    HIGHER,
    "faces pasted on held-out backgrounds at any size and roll; share that the scout finds with a box that meets YuNet's by half (IoU)",
)
def recall_iou50(overlaps: np.ndarray) -> np.ndarray:
    """For each face 100 where the best detection's `overlaps` [N] is 0.5 or more, else 0: [N]."""
    return 100.0 * (overlaps >= 0.5)


@metric("%", LOWER, "held-out backgrounds in four quarter turns; share in which a face is detected")
def face_free_pictures_detected(detections: Sequence[Sequence[Face]]) -> np.ndarray:
    """For each picture without a face 100 where something is detected, else 0: [N]."""
    return 100.0 * np.array([len(each) > 0 for each in detections])


def measure_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union, 0..1, of two boxes [4] (x, y, width, height)."""
    sides = np.minimum(first[:2] + first[2:], second[:2] + second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.clip(sides, 0, None).prod())
    return shared / max(float(first[2:].prod() + second[2:].prod()) - shared, 1e-9)


DETECTION = (detected, recall_iou50, face_free_pictures_detected)
