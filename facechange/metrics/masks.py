"""How far the control masks select (the patent's para. 79 and Fig. 6): open outside the face, shut on it, or the same
everywhere?

A mask [h, w] is in [0, 1]: 1 keeps the target, 0 nothing of it. `landmarks68` [68, 2] are in pixels of the crop of side
`size_px`. A pixel of a coarse mask counts for either side of the hull by its share.
"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask
from facechange.metrics.metric import HIGHER, LOWER, NEITHER, metric


@metric(
    "of 1",
    HIGHER,
    "40 pairs; for each resolution of the control masks their mean outside the hull of the target's 68 landmarks",
)
def outside_hull68(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> float:
    """Mean of a control mask outside the hull."""
    return _mean(mask, 1 - _inside(mask, landmarks68, size_px))


@metric("of 1", LOWER, "the same inside the hull")
def inside_hull68(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> float:
    """Mean of a control mask inside the hull."""
    return _mean(mask, _inside(mask, landmarks68, size_px))


@metric("of 1", HIGHER, "the mean outside less the mean inside")
def selectivity_hull68(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> float:
    """How much more a control mask keeps outside the hull than inside."""
    return outside_hull68(mask, landmarks68, size_px) - inside_hull68(mask, landmarks68, size_px)


@metric("of 1", NEITHER, "the standard deviation over the pixels of a mask")
def deviation(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> float:
    """Deviation over all pixels. A mask that is the same everywhere does not select, whatever its value: 0."""
    return float(mask.std())


def _inside(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> np.ndarray:
    return cv2.resize(
        hull_mask(landmarks68, size_px).astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_AREA
    )


def _mean(mask: np.ndarray, weight: np.ndarray) -> float:
    return float((mask * weight).sum() / max(float(weight.sum()), 1e-9))


MASKS = (outside_hull68, inside_hull68, selectivity_hull68, deviation)
