"""Similarity transforms, templates and hulls: pure functions on points in pixels.

A matrix is float64 [2, 3] and maps a picture's pixel centres to a crop's.
"""

from __future__ import annotations

import cv2
import numpy as np

# Five-point template of ArcFace at 112² (Deng et al. 2019): eyes, nose, mouth corners, viewer's left first.
ARCFACE_POINTS_112 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def estimate_similarity(source: np.ndarray, destination: np.ndarray) -> np.ndarray:
    """Least-squares rotation, uniform scale and shift from `source` [N, 2] to `destination` [N, 2] (Umeyama 1991)."""
    source_mean, destination_mean = source.mean(0), destination.mean(0)
    centred_source, centred_destination = source - source_mean, destination - destination_mean
    u, singular, vt = np.linalg.svd(centred_destination.T @ centred_source)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (singular * sign).sum() / max((centred_source**2).sum(), 1e-12)
    shift = destination_mean - scale * rotation @ source_mean
    return np.hstack([scale * rotation, shift[:, None]])


def identity_crop_matrix(points: np.ndarray, size: int = 112) -> np.ndarray:
    """Matrix from a picture to the identity network's crop (ArcFace template) for five `points` [5, 2]."""
    return estimate_similarity(np.asarray(points, np.float64), ARCFACE_POINTS_112 * (size / 112))


def ffhq_crop_matrix(points: np.ndarray, size: int) -> np.ndarray:
    """Matrix from a picture to the FFHQ-style crop of side `size` for five `points` [5, 2].

    The square is centred a tenth of the way from the eyes to the mouth, turned with the face, and as large as in
    Karras et al. 2019 (2.0 eye distances or 1.8 eye-to-mouth distances on each side of the centre).
    """
    points = np.asarray(points, np.float64)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    eye_to_eye, eye_to_mouth = points[1] - points[0], mouth - eyes
    across = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])  # both agree on the direction of x
    across /= max(np.hypot(*across), 1e-9)
    half = max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8, 1e-3)
    centre = eyes + eye_to_mouth * 0.1
    linear = np.array([across, [-across[1], across[0]]]) * (size / (2 * half))
    return np.hstack([linear, (np.full(2, (size - 1) / 2) - linear @ centre)[:, None]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply `matrix` [2, 3] to `points` [..., 2]."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def warp_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The upright box (x, y, w, h) of the ellipse inscribed in `box`, after `matrix` [2, 3].

    That is where YuNet puts its box on a rolled face: over all rolls their intersection over union is 0.8 to 0.9, and
    0.5 for the box around the four rolled corners.
    """
    centre = matrix[:, :2] @ (box[:2] + box[2:] / 2) + matrix[:, 2]
    half = np.hypot(*(matrix[:, :2] * (box[2:] / 2)).T)
    return np.concatenate([centre - half, 2 * half])


def invert(matrix: np.ndarray) -> np.ndarray:
    """The matrix of the way back."""
    return cv2.invertAffineTransform(matrix)


def scale_of(matrix: np.ndarray) -> float:
    """How many crop pixels one picture pixel becomes."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def rescale(matrix: np.ndarray, factor: float) -> np.ndarray:
    """`matrix` for a crop with `factor` times as many pixels on a side: their centres lie elsewhere."""
    rescaled = np.array(matrix, np.float64) * factor
    rescaled[:, 2] += (factor - 1) / 2
    return rescaled


def cut_off(matrix: np.ndarray, left: float, top: float) -> np.ndarray:
    """`matrix` for a picture of which `left` columns and `top` rows were cut off."""
    moved = np.array(matrix, np.float64)
    moved[:, 2] += moved[:, :2] @ (left, top)
    return moved


def crop_rectangle(matrix: np.ndarray, size: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The rectangle (left, top, right, bottom) of a picture of `shape` that holds the crop of side `size`, cut at its
    borders."""
    corners = transform_points(np.array([[0, 0], [size, 0], [size, size], [0, size]]) - 0.5, invert(matrix))
    left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, [shape[1], shape[0]])
    right, bottom = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, [shape[1], shape[0]])
    return int(left), int(top), int(right), int(bottom)


def match_scale(maps: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`maps` [R, R, ...] of a crop, averaged down to the picture's scale where they are finer, and the matrix to them.

    Sampling them for the picture then does not alias.
    """
    side = max(round(maps.shape[0] / scale_of(matrix)), 1)
    if side >= maps.shape[0]:
        return maps, matrix
    return cv2.resize(maps, (side, side), interpolation=cv2.INTER_AREA), rescale(matrix, side / maps.shape[0])


def roll_degrees(points: np.ndarray) -> float:
    """Rotation of the face in the picture plane; positive is clockwise as the viewer sees it."""
    eye_to_eye = points[1] - points[0]
    return float(np.degrees(np.arctan2(eye_to_eye[1], eye_to_eye[0])))


def hull_mask(points: np.ndarray, size: int) -> np.ndarray:
    """1 inside the convex hull of `points` [N, 2], 0 outside: uint8 [size, size]."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return mask
