"""Between pictures (HWC, integers) and what a graph takes (NCHW, float32 in [-1, 1])."""

from __future__ import annotations

import numpy as np


def to_tensor(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 or uint16 to float32 [1, 3, H, W] in [-1, 1]."""
    assert image.ndim == 3 and image.shape[2] == 3, image.shape
    scaled = image.astype(np.float32) * np.float32(2 / np.iinfo(image.dtype).max) - np.float32(1)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))[None]  # [1, 3, H, W]


def to_unit_range(tensor: np.ndarray) -> np.ndarray:
    """Float [1, 3, H, W] in [-1, 1] to float32 [H, W, 3] in [0, 1]; what lies outside is clipped."""
    assert tensor.ndim == 4 and tensor.shape[0] == 1, tensor.shape
    image = tensor[0].transpose(1, 2, 0).astype(np.float32) * np.float32(0.5) + np.float32(0.5)
    return np.clip(np.ascontiguousarray(image), 0, 1)
