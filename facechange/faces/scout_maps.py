"""What the maps of this project's own scout mean: their units and the way from them to detections, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

STRIDES = (8, 16, 32)
UNITS_PX = {8: 20.0, 16: 60.0, 32: 180.0}  # the face size that each map sees as 1
CHANNELS = 15  # score, centre x and y, width, height, five points x and y
NETWORK_VALUES = ((np.arange(256) - 127.5) / 127.5).astype(np.float32)  # of the 256 values of a sample
MAXIMUM_DETECTIONS = 2000  # a look, before overlapping ones are dropped


def to_input(image: np.ndarray, margin: int) -> np.ndarray:
    """uint8 [H, W, 3] => float32 [1, 3, H', W'] in [-1, 1]: `margin` px on every side, then up to multiples of 32, in
    grey."""
    below, right = (-(side + 2 * margin) % STRIDES[-1] for side in image.shape[:2])
    padded = cv2.copyMakeBorder(
        image, margin, margin + below, margin, margin + right, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    tensor = np.empty((1, 3, *padded.shape[:2]), np.float32)
    for channel, plane in zip(cv2.split(padded), tensor[0], strict=True):
        cv2.LUT(channel, NETWORK_VALUES, dst=plane)  # four times faster than blobFromImage
    return tensor


def decode_maps(maps: Mapping[str, np.ndarray], threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps of one picture => scores [K], boxes [K, 4] (x, y, width, height) and points [K, 5, 2], in pixels of the
    input."""
    least = np.log(threshold / (1 - threshold))
    found = []
    for stride in STRIDES:
        cells = maps[f"stride_{stride}"][0]
        rows, columns = np.nonzero(cells[0] >= least)
        values = cells[:, rows, columns].T.astype(np.float64)  # [K, 15]
        centres = (np.stack([columns, rows], 1) + 0.5) * stride - 0.5
        sizes = np.exp(np.clip(values[:, 3:5], -6, 4)) * UNITS_PX[stride]
        corners = centres + values[:, 1:3] * stride - sizes / 2
        points = centres[:, None] + values[:, 5:].reshape(-1, 5, 2) * UNITS_PX[stride]
        found.append((1 / (1 + np.exp(-values[:, 0])), np.concatenate([corners, sizes], 1), points))
    scores, boxes, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    best = np.argsort(-scores, kind="stable")[:MAXIMUM_DETECTIONS]
    return scores[best], boxes[best], points[best]
