"""How far the control masks select (the patent's para. 79 and Fig. 6): open outside the face, shut on it, or the same everywhere?"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.intervals import Interval, bootstrap_mean
from facechange.faces.geometry import hull_mask

Masks = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]  # uint8 [R, R, 3] target and [512] identity to masks [h, w]


def mask_selectivity_hull68(mask: np.ndarray, landmarks68: np.ndarray, size_px: int) -> tuple[float, float, float]:
    """Mean of a control `mask` [h, w] outside and inside the hull of `landmarks68` [68, 2], and its deviation over all pixels.

    1 keeps the target, 0 nothing of it. The landmarks are in pixels of the crop of side `size_px`; a pixel of a coarse mask counts
    for either side by its share. A mask that is the same everywhere does not select, whatever its value: its deviation is 0.
    """
    inside = cv2.resize(hull_mask(landmarks68, size_px).astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_AREA)
    outside = 1 - inside
    means = [float((mask * weight).sum() / max(float(weight.sum()), 1e-9)) for weight in (outside, inside)]
    return means[0], means[1], float(mask.std())


def measure_masks(masks: Masks, faces: AlignedFaces, pairs: np.ndarray, seed: int) -> dict[str, dict[str, Interval]]:
    """For each resolution of the masks, over `pairs` [P, 2] (source, target): outside, inside, their difference, and deviation."""
    found: dict[str, list[np.ndarray]] = {}
    for source_row, target_row in pairs:
        target = faces[target_row]
        by_side: dict[str, list[tuple[float, float, float]]] = {}
        for mask in masks(target.crop, faces[source_row].identity):
            measured = mask_selectivity_hull68(mask, target.landmarks68, faces.size_px)
            by_side.setdefault(f"{len(mask)}²", []).append(measured)
        for side, rows in by_side.items():  # a resolution has two layers
            found.setdefault(side, []).append(np.mean(rows, axis=0))
    return {side: _summarise(np.array(rows), seed) for side, rows in found.items()}


def _summarise(rows: np.ndarray, seed: int) -> dict[str, Interval]:
    values = {"outside_hull68": rows[:, 0], "inside_hull68": rows[:, 1], "selectivity_hull68": rows[:, 0] - rows[:, 1]}
    return {name: bootstrap_mean(column, "of 1", seed) for name, column in (values | {"deviation": rows[:, 2]}).items()}
