"""Make a face invisible: blurred, in coarse squares or behind a box; for faces that cannot be changed so that nobody
knows them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from facechange.core import Face
from facechange.faces.geometry import estimate_similarity, transform_points
from facechange.faces.mean_face68 import read_mean_face

Cover = Literal["blur", "mosaic", "box"]

# of the face: the blur's deviation or a square's side, ever stronger
LEVELS = {"blur": (0.2, 0.35), "mosaic": (0.2, 0.35)}
_GRID = 48  # pixels that the face gets for blurring: much finer than what is left of it
_MARGIN, _BOX_MARGIN = 1.25, 1.3  # of the face, around its middle
_FOREHEAD = 0.45  # of the way from chin to brows, on beyond the brows
_SOFT = 0.06  # of the face: how wide the edge is, outside the region
_BROWS, _CHIN = slice(17, 27), 8


def face_region(face: Face) -> np.ndarray:
    """A convex region [M, 2] px, float64, that holds the whole face with a margin, as its points and its box tell."""
    mean = read_mean_face()[0][:, :2]
    five = np.stack([mean[36:42].mean(0), mean[42:48].mean(0), mean[30], mean[48], mean[54]])
    landmarks = transform_points(mean, estimate_similarity(five, np.asarray(face.points, np.float64)))
    forehead = landmarks[_BROWS] + _FOREHEAD * (landmarks[_BROWS].mean(0) - landmarks[_CHIN])
    x, y, width, height = face.box
    turns = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    oval = np.array([x + width / 2, y + height / 2]) + np.stack([np.cos(turns) * width, np.sin(turns) * height], 1) / 2
    outline = np.concatenate([landmarks, forehead, oval])
    middle = (outline.min(0) + outline.max(0)) / 2
    widened = middle + _MARGIN * (outline - middle)
    return cv2.convexHull(widened.astype(np.float32))[:, 0].astype(np.float64)


def cover_face(pixels: np.ndarray, face: Face, cover: Cover, strength: float = 0.2) -> tuple[int, int, int, int]:
    """Cover `face` in `pixels` [H, W, 3] (uint8 or uint16), in place; `strength` is a share of the face, as in
    `LEVELS`.

    Returns the rectangle (left, top, right, bottom) that holds all that changed.
    """
    region = face_region(face)
    if cover == "box":
        region = (region - region.mean(0)) * (_BOX_MARGIN / _MARGIN) + region.mean(0)
        left, top, right, bottom = _rectangle(region, 0, pixels.shape)
        pixels[top:bottom, left:right] = 0
        return left, top, right, bottom
    size = float(np.ptp(region, 0).max())
    left, top, right, bottom = _rectangle(region, size * max(strength, _SOFT), pixels.shape)
    if left >= right or top >= bottom:
        return left, top, right, bottom
    window = pixels[top:bottom, left:right]
    hidden = _blur(window, size, strength) if cover == "blur" else _coarsen(window, size * strength)
    mask = np.zeros(window.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, np.round(region - (left, top)).astype(np.int32), 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), max(size * _SOFT, 0.5))
    weight = np.maximum(mask, np.minimum(2 * soft, 1.0))[..., None]
    np.copyto(window, np.rint(window + weight * (hidden - window)).astype(pixels.dtype))
    return left, top, right, bottom


def _blur(window: np.ndarray, size: float, strength: float) -> np.ndarray:
    """`window` as float32, blurred by a Gaussian with a deviation of `strength` of the `size` px of the face, on a
    coarse grid."""
    height, width = window.shape[:2]
    scale = min(_GRID / size, 1.0)
    small = cv2.resize(
        window, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA
    )
    blurred = cv2.GaussianBlur(small.astype(np.float32), (0, 0), max(size * scale * strength, 1.0))
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)


def _coarsen(window: np.ndarray, side_px: float) -> np.ndarray:
    """`window` as float32, in squares of about `side_px`."""
    height, width = window.shape[:2]
    squares = max(round(width / side_px), 1), max(round(height / side_px), 1)
    coarse = cv2.resize(window, squares, interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def _rectangle(region: np.ndarray, margin: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what of a picture of `shape` holds `region` and `margin` px around."""
    left, top = np.clip(np.floor(region.min(0) - margin), 0, shape[1::-1]).astype(int)
    right, bottom = np.clip(np.ceil(region.max(0) + margin) + 1, 0, shape[1::-1]).astype(int)
    return int(left), int(top), int(right), int(bottom)
