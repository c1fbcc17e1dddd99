"""A 3-D mean face out of nothing but 2-D landmarks of many people: how `mean_face68.toml` was made."""

from __future__ import annotations

import numpy as np

from facechange.faces.mean_face68 import MIRRORED

EYE_CORNERS = [36, 39, 42, 45]


def factor_mean_face(landmarks68: np.ndarray) -> np.ndarray:
    """Mean shape [68, 3] (x right, y down, z away from the viewer) of faces seen once each, `landmarks68` [N, 68, 2].

    The unit is the distance between the outer eye corners; the middle of the four eye corners is 0. Faces and their
    mirror images are factored into rank 3 (Tomasi & Kanade 1992). That leaves the scale of depth open, and how wide a
    person's face is hides what each view says about it. So depth comes from all faces at once: how the eyes' distance
    shrinks as the nose moves aside.
    """
    points = np.concatenate([landmarks68, landmarks68[:, MIRRORED] * (-1, 1)])
    points = points - points.mean(1, keepdims=True)
    points /= np.sqrt((points**2).mean((1, 2), keepdims=True))
    # [68, 3] up to a 3 x 3 matrix
    shape = np.linalg.svd(points.transpose(0, 2, 1).reshape(-1, 68), full_matrices=False)[2][:3].T
    mean = points.mean(0)  # of a face and its mirror image: seen from the front
    flat = shape @ np.linalg.lstsq(shape, mean, rcond=None)[0]  # [68, 2]: x and y
    # What is left of the three dimensions once x and y are taken out is depth, up to its scale and sign.
    rest = shape - flat @ np.linalg.lstsq(flat, shape, rcond=None)[0]
    depth = np.linalg.svd(rest - rest.mean(0), full_matrices=False)[0][:, 0]
    depth = (depth + depth[MIRRORED]) / 2
    face = np.column_stack([(flat + flat[MIRRORED] * (-1, 1)) / 2, depth])
    face = (face - face[EYE_CORNERS].mean(0)) / (face[45, 0] - face[36, 0])
    face[:, 2] *= measure_nose_depth(landmarks68) / (face[36, 2] - face[30, 2])
    return face


def measure_nose_depth(landmarks68: np.ndarray) -> float:
    """How far the tip of the nose stands out before the outer eye corners, in units of their distance.

    Turned by an angle a, the eye corners' distance w becomes w cos a, and the nose moves aside by its depth d times sin
    a: w² falls by (w / d)² times the square of that move, which a line through all `landmarks68` [N, 68, 2] measures.
    """
    left, right, nose = landmarks68[:, 36], landmarks68[:, 45], landmarks68[:, 30]
    middle = (left + right) / 2
    down = landmarks68[:, [48, 54]].mean(1) - middle
    height = np.linalg.norm(down, axis=1)  # eyes to mouth: does not change as a head turns
    across = np.stack([down[:, 1], -down[:, 0]], 1) / height[:, None]
    width = np.einsum("nd,nd->n", right - left, across) / height
    moved = np.einsum("nd,nd->n", nose - middle, across) / height
    fall = -np.polyfit(moved**2, width**2, 1)[0]
    assert fall > 0, "heads that turn are needed"
    return float(1 / np.sqrt(fall))
