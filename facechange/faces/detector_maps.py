"""What goes into the detector (YuNet) and what its outputs mean, in NumPy, so that any engine can run it.

Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023. Free of anchors: each cell of the grids at strides
8, 16 and 32 claims at most one face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from facechange.core import Face
from facechange.faces.overlaps import suppress_overlaps

STRIDES = (8, 16, 32)
SAME_FACE = 0.3  # intersection over union from which two claims of one pass are one face, as its authors set it


def to_detector_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 [H, W, 3] RGB pictures of one size => float32 [N, 3, H', W'] BGR in 0..255, black up to multiples of 32."""
    below, right = (-side % STRIDES[-1] for side in images[0].shape[:2])
    padded = [cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT) if below or right else image for image in images]
    return cv2.dnn.blobFromImages(padded, swapRB=True)


def decode_detections(outputs: Mapping[str, np.ndarray], width_px: int, threshold: float) -> list[list[Face]]:
    """What each of N inputs, `width_px` wide (a multiple of 32), shows with a score of `threshold` or more, the best first.

    `outputs` are, for each stride S with K cells, `cls_S` and `obj_S` [N, K, 1], `bbox_S` [N, K, 4] and `kps_S` [N, K, 10].
    """
    count = len(outputs["cls_8"])
    return [_decode_one({name: values[index] for name, values in outputs.items()}, width_px, threshold) for index in range(count)]


def _decode_one(outputs: Mapping[str, np.ndarray], width_px: int, threshold: float) -> list[Face]:
    found = []
    for stride in STRIDES:
        scores = np.sqrt(np.clip(outputs[f"cls_{stride}"][:, 0], 0, 1) * np.clip(outputs[f"obj_{stride}"][:, 0], 0, 1))
        chosen = np.flatnonzero(scores >= threshold)
        cells = np.stack([chosen % (width_px // stride), chosen // (width_px // stride)], 1)
        values = outputs[f"bbox_{stride}"][chosen].astype(np.float64)
        sizes = np.exp(values[:, 2:]) * stride
        corners = (cells + values[:, :2]) * stride - sizes / 2
        points = (outputs[f"kps_{stride}"][chosen].reshape(-1, 5, 2) + cells[:, None]) * stride
        found.append((scores[chosen], np.concatenate([corners, sizes], 1), points))
    scores, boxes, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = suppress_overlaps(boxes, scores, SAME_FACE)
    return [Face(tuple(map(float, boxes[i])), points[i].astype(np.float32), float(scores[i])) for i in kept]  # type: ignore[arg-type]
