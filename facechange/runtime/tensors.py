"""Between pictures (HWC, integers) and what a graph takes (NCHW, float32 in [-1, 1])."""

from __future__ import annotations

import cv2
import numpy as np

_BYTES = np.arange(256, dtype=np.float32) * np.float32(2 / 255) - np.float32(1)


def to_tensor(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 or uint16 to float32 [1, 3, H, W] in [-1, 1]."""
    assert image.ndim == 3 and image.shape[2] == 3, image.shape
    planes = cv2.split(image)  # OpenCV is many times faster at both than NumPy's strided copies
    if image.dtype == np.uint8:
        return np.stack([cv2.LUT(plane, _BYTES) for plane in planes])[None]  # [1, 3, H, W]
    scaled = np.stack(planes).astype(np.float32)[None]
    scaled *= np.float32(2 / np.iinfo(image.dtype).max)
    scaled -= np.float32(1)
    return scaled


def to_unit_range(tensor: np.ndarray) -> np.ndarray:
    """Float32 [1, 3, H, W] in [-1, 1] to float32 [H, W, 3] in [0, 1]; what lies outside is clipped."""
    assert tensor.ndim == 4 and tensor.shape[0] == 1, tensor.shape
    image: np.ndarray = cv2.merge([np.ascontiguousarray(plane, np.float32) for plane in tensor[0]])
    image *= np.float32(0.5)
    image += np.float32(0.5)
    return np.clip(image, 0, 1, out=image)
