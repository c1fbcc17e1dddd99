"""How much the crop of a face shakes from frame to frame: what a viewer sees as wobbling."""

from __future__ import annotations

import numpy as np

from facechange.faces.geometry import ffhq_crop_matrix, invert, transform_points


def crop_jitter(points: np.ndarray) -> float:
    """Root mean square of the second difference in time of the crop's corners, as a share of its mean side.

    `points` are the five points of one face in successive frames, [T, 5, 2] px, T of 3 or more. Even movement counts nothing;
    0.001 is a corner that departs from it by a thousandth of the crop. Protocol: the ratio of a changed video's value to that
    of the video it was made from, both located frame by frame with the same locator.
    """
    assert points.ndim == 3 and len(points) >= 3, points.shape
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    corners = np.stack([transform_points(square, invert(ffhq_crop_matrix(face, 1))) for face in points])  # [T, 4, 2]
    side = float(np.hypot(*(corners[:, 1] - corners[:, 0]).T).mean())
    return float(np.sqrt((np.diff(corners, n=2, axis=0) ** 2).sum(-1).mean())) / side
