"""Of several detections of one face, keep the best."""

from __future__ import annotations

import numpy as np


def suppress_overlaps(boxes: np.ndarray, scores: np.ndarray, overlap: float = 0.4) -> list[int]:
    """Indices of `boxes` [K, 4] to keep, the best score first; one goes where a better one meets it.

    `overlap` is the intersection over union from which two boxes count as one face.
    """
    order = np.argsort(-scores, kind="stable")
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    areas = boxes[:, 2] * boxes[:, 3]
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(corners[best, 2:], corners[order, 2:]) - np.maximum(corners[best, :2], corners[order, :2])
        shared = np.clip(sides, 0, None).prod(1)
        order = order[shared <= overlap * (areas[best] + areas[order] - shared)]
    return kept
