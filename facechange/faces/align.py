"""Cut an aligned crop out of a picture."""

from __future__ import annotations

import cv2
import numpy as np

from facechange.faces.geometry import scale_of


def warp_crop(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Warp `image` [H, W, C] by `matrix` [2, 3] (picture to crop) to [size, size, C] of the same type.

    Where the picture ends its border is repeated. A crop much smaller than its source is averaged, not sampled,
    so that fine texture does not alias.
    """
    shrink = int(1 / max(scale_of(matrix), 1e-6))  # whole picture pixels a crop pixel
    if shrink < 2:
        return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fine = np.array(matrix, np.float64) * shrink
    fine[:, 2] += (shrink - 1) / 2  # pixel centres of the finer grid
    side = size * shrink
    large = cv2.warpAffine(image, fine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
