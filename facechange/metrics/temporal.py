"""What moves that should not: a changed video beside the one it was made from, frame by frame.

Each metric is a ratio, 1 for a change that moves exactly as its original does. An original that hardly moves is taken
to move a little, so that a ratio stays finite.
"""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import ffhq_crop_matrix, invert, transform_points
from facechange.metrics.metric import LOWER, metric

LEAST_JITTER, LEAST_DIFFERENCE = 1e-4, 0.1  # of an original: parts of the crop's side, levels of 255
_STRAYING_PX = 1.0  # forward and backward flow that do not lead back: covered or uncovered, and not counted


def crop_departures(points: np.ndarray) -> np.ndarray:
    """How far the crop of a face departs from even movement, in parts of its mean side: [T - 2].

    `points` are the five points of one face in successive frames, [T, 5, 2] px, T of 3 or more; NaN where the face was
    not found, and so is what depends on it. Each value is the root mean square, over the crop's corners, of the second
    difference in time.
    """
    assert points.ndim == 3 and len(points) >= 3, points.shape
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    corners = np.full((len(points), 4, 2), np.nan)
    for index in np.flatnonzero(np.isfinite(points).all((1, 2))):
        corners[index] = transform_points(square, invert(ffhq_crop_matrix(points[index], 1)))
    side = float(np.nanmean(np.hypot(*(corners[:, 1] - corners[:, 0]).T)))
    return np.sqrt((np.diff(corners, n=2, axis=0) ** 2).sum(-1).mean(1)) / side


@metric(
    "ratio",
    LOWER,
    "root mean square of the second difference in time of the change crop's corners, over the crop's side; a changed video's over its "
    "original's, both located frame by frame",
)
def crop_jitter(changed: np.ndarray, original: np.ndarray) -> float:
    """How much the crop of a face shakes, what a viewer sees as wobbling, by the `crop_departures` of both videos
    [N]."""
    return _root_mean_square(changed) / max(_root_mean_square(original), LEAST_JITTER)


def warp_differences(
    before: np.ndarray, after: np.ndarray, changed_before: np.ndarray, changed_after: np.ndarray
) -> tuple[float, float] | None:
    """Mean absolute difference, in levels of 255, of a frame from the next one moved back: (of the changed video, of
    the original).

    All are uint8 [H, W, 3] RGB, two frames of the original and the same two of the changed video. The movement is found
    in the original (DIS optical flow), where it was before the change; pixels that it leads astray do not count. None
    where it leads all astray.
    """
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    old, new = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    forward, backward = (finder.calc(*pair, np.zeros((*old.shape, 2), np.float32)) for pair in ((old, new), (new, old)))
    grid = np.stack(np.meshgrid(np.arange(old.shape[1]), np.arange(old.shape[0])), -1).astype(np.float32)
    place = grid + forward
    certain = np.hypot(*np.moveaxis(forward + _sample(backward, place), 2, 0)) < _STRAYING_PX
    if not certain.any():
        return None
    return _difference(changed_before, changed_after, place, certain), _difference(before, after, place, certain)


@metric(
    "ratio",
    LOWER,
    "mean difference of a frame from the next one moved back by the original's own optical flow; a changed video's over its original's",
)
def warp_error(changed: np.ndarray, original: np.ndarray) -> float:
    """How much a changed video flickers beyond what its original moves (after Lai et al. 2018), by the
    `warp_differences` of both [N]."""
    return float(np.mean(changed)) / max(float(np.mean(original)), LEAST_DIFFERENCE)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _difference(before: np.ndarray, after: np.ndarray, place: np.ndarray, where: np.ndarray) -> float:
    moved_back = _sample(after.astype(np.float32), place)
    return float(np.abs(moved_back - before.astype(np.float32))[where].mean())


def _sample(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return cv2.remap(values, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


TEMPORAL = (crop_jitter, warp_error)
