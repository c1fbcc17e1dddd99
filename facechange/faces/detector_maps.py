"""What goes into the detector (YuNet) and what its outputs mean, in NumPy, so that any engine can run it.

Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023. Free of anchors: each cell of the grids at strides
8, 16 and 32 holds at most one face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from facechange.core import Face
from facechange.faces.overlaps import suppress_overlaps

STRIDES = (8, 16, 32)
SAME_FACE = 0.3  # intersection over union from which two detections of one pass are one face, as its authors set it


def to_detector_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 [H, W, 3] RGB pictures of one size => float32 [N, 3, H', W'] BGR in 0..255, black up to multiples of 32."""
    below, right = (-side % STRIDES[-1] for side in images[0].shape[:2])
    padded = [
        cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT) if below or right else image
        for image in images
    ]
    return cv2.dnn.blobFromImages(padded, swapRB=True)


def decode_detections(outputs: Mapping[str, np.ndarray], width_px: int, threshold: float) -> list[list[Face]]:
    """What each of N inputs, `width_px` wide (a multiple of 32), shows with a score of `threshold` or more, the best
    first.

    `outputs` are, for each stride S with K cells, `cls_S` and `obj_S` [N, K, 1], `bbox_S` [N, K, 4] and `kps_S` [N, K,
    10].
    """
    found = [_decode_stride(outputs, stride, width_px, threshold) for stride in STRIDES]
    pictures, scores, boxes, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    detections: list[list[Face]] = []
    for number in range(len(outputs["cls_8"])):
        own = np.flatnonzero(pictures == number)
        kept = own[suppress_overlaps(boxes[own], scores[own], SAME_FACE)]
        detections.append([_as_face(boxes[i], points[i], scores[i]) for i in kept])
    return detections


def _as_face(box: np.ndarray, points: np.ndarray, score: float) -> Face:
    left, top, width, height = map(float, box)
    return Face((left, top, width, height), points.astype(np.float32), float(score))


def _decode_stride(
    outputs: Mapping[str, np.ndarray], stride: int, width_px: int, threshold: float
) -> tuple[np.ndarray, ...]:
    """The detections of one grid: the number of the picture [M], score [M], box [M, 4] and points [M, 5, 2] of each."""
    # [N, K]
    scores = np.sqrt(np.clip(outputs[f"cls_{stride}"][..., 0], 0, 1) * np.clip(outputs[f"obj_{stride}"][..., 0], 0, 1))
    pictures, chosen = np.nonzero(scores >= threshold)
    cells = np.stack([chosen % (width_px // stride), chosen // (width_px // stride)], 1)
    values = outputs[f"bbox_{stride}"][pictures, chosen].astype(np.float64)
    sizes = np.exp(values[:, 2:]) * stride
    corners = (cells + values[:, :2]) * stride - sizes / 2
    points = (outputs[f"kps_{stride}"][pictures, chosen].reshape(-1, 5, 2) + cells[:, None]) * stride
    return pictures, scores[pictures, chosen], np.concatenate([corners, sizes], 1), points
