"""Cut an aligned crop out of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from facechange.faces.geometry import cut_off, invert, rescale, scale_of, transform_points


def warp_crop(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Warp `image` [H, W, C] by `matrix` [2, 3] (picture to crop) to [size, size, C] of the same type.

    Where the picture ends its border is repeated. A crop much smaller than its source is averaged, not sampled,
    so that fine texture does not alias.
    """
    shrink = int(1 / max(scale_of(matrix), 1e-6))  # whole picture pixels a crop pixel
    if shrink >= 4:  # averaging by half of it first is several times faster
        image, matrix = _reduce(image, matrix, size, shrink // 2)
        shrink = int(1 / max(scale_of(matrix), 1e-6))
    if shrink < 2:
        return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    side = size * shrink
    large = cv2.warpAffine(
        image, rescale(matrix, shrink), (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)


def warp_crops(image: np.ndarray, matrices: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """`warp_crop` by each of `matrices`, on as many threads as there are processors."""
    if len(matrices) < 2:
        return [warp_crop(image, matrix, size) for matrix in matrices]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda matrix: warp_crop(image, matrix, size), matrices))


def _reduce(image: np.ndarray, matrix: np.ndarray, size: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of `image` that a crop needs, averaged down by a whole `factor`, and the matrix from there to the
    crop."""
    corners = transform_points(np.array([[0, 0], [size, 0], [size, size], [0, size]]) - 0.5, invert(matrix))
    limits = np.array(image.shape[1::-1])
    start = np.clip(np.floor(corners.min(0)).astype(int) - 2 * factor, 0, np.maximum(limits - factor, 0))
    blocks = np.maximum(
        (np.clip(np.ceil(corners.max(0)).astype(int) + 2 * factor, start + 1, limits) - start) // factor, 1
    )
    (left, top), (width, height) = start, blocks * factor
    reduced = cv2.resize(
        image[top : top + height, left : left + width], tuple(map(int, blocks)), interpolation=cv2.INTER_AREA
    )
    onward = cut_off(matrix, *(start + (factor - 1) / 2))  # to the centre of the first block
    onward[:, :2] *= factor
    return reduced, onward
