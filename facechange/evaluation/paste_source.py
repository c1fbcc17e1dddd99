"""The classical baseline: the source's face, warped onto the target's landmarks and cloned in seamlessly."""

from __future__ import annotations

import cv2
import numpy as np

from facechange.evaluation.aligned_faces import AlignedFace
from facechange.faces.geometry import hull_mask

COARSE_PX = 32  # side of the grid on which the warp is worked out; it is smooth


def paste_source(source: AlignedFace, target: AlignedFace) -> np.ndarray:
    """The target's crop uint8 [R, R, 3] with the source's face inside the hull of the 68 landmarks (Pérez et al.
    2003)."""
    size = target.crop.shape[0]
    hull = hull_mask(target.landmarks68, size)
    hull[[0, 1, -2, -1]] = 0  # cloning needs a rim to take its colours from
    hull[:, [0, 1, -2, -1]] = 0
    if not hull.any():
        return target.crop
    warped = warp_landmarks(source.crop, source.landmarks68, target.landmarks68)
    left, top, width, height = cv2.boundingRect(hull)
    cloned = cv2.seamlessClone(
        warped, target.crop, hull * 255, (left + width // 2, top + height // 2), cv2.NORMAL_CLONE
    )
    return np.where(hull[..., None] > 0, cloned, target.crop)  # rounding reaches beyond the mask


def warp_landmarks(crop: np.ndarray, landmarks: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Warp uint8 [R, R, 3] so that `landmarks` [K, 2] come to lie at `wanted` [K, 2]: thin-plate splines (Bookstein
    1989)."""
    size = crop.shape[0]
    system = np.zeros((len(wanted) + 3, len(wanted) + 3))
    system[: len(wanted), : len(wanted)] = _bend(wanted, wanted)
    system[: len(wanted), len(wanted) :] = _flat(wanted)
    system[len(wanted) :, : len(wanted)] = _flat(wanted).T
    weights = np.linalg.lstsq(system, np.concatenate([landmarks, np.zeros((3, 2))]), rcond=None)[0]
    side = min(COARSE_PX, size)
    places = (np.arange(side) + 0.5) * (size / side) - 0.5
    grid = np.stack(np.meshgrid(places, places), -1).reshape(-1, 2)
    sources = np.hstack([_bend(grid, wanted), _flat(grid)]) @ weights  # where each pixel comes from
    moves = cv2.resize(
        (sources - grid).reshape(side, side, 2).astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR
    )
    columns, rows = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    return cv2.remap(
        crop, columns + moves[..., 0], rows + moves[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _bend(points: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """r² log r² between `points` [N, 2] and `knots` [K, 2]: [N, K]."""
    square = ((points[:, None] - knots) ** 2).sum(-1)
    return square * np.log(np.maximum(square, 1e-12))


def _flat(points: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(points)), points])
