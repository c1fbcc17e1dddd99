"""Photographs of any size to measure with, around the face that ships."""

from __future__ import annotations

import cv2
import numpy as np

from facechange.images import read_picture
from facechange.swap.personas import PORTRAIT

FACE_SHARE = 0.5  # of the photograph's height, that the picture of the face takes


def read_face() -> np.ndarray:
    """A person who does not exist, drawn by this project's own model: uint8 [S, S, 3]."""
    return read_picture(PORTRAIT).pixels


def draw_photograph(megapixels: float) -> np.ndarray:
    """A 4:3 photograph uint8 [H, W, 3] with that face in its middle, before a soft background with the noise of a
    camera."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    random = np.random.default_rng(0)
    photograph = cv2.resize(
        random.integers(60, 200, (6, 8, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_LINEAR
    )
    side = round(height * FACE_SHARE)
    top, left = (height - side) // 2, (width - side) // 2
    photograph[top : top + side, left : left + side] = cv2.resize(
        read_face(), (side, side), interpolation=cv2.INTER_CUBIC
    )
    noise = np.rint(random.normal(0, 3, (height, width, 1))).astype(np.int8).repeat(3, axis=2)
    return cv2.add(photograph, noise, dtype=cv2.CV_8U)
