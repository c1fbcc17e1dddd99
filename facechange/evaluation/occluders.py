"""Things in front of a face, drawn from a seed: a hand's worth of round shapes, or a bar that reaches in from the
side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask

FACE_SHARE = (0.06, 0.3)  # the part of the face's hull that a thing covers
TRIES = 50


def cover_face(
    crop: np.ndarray, landmarks68: np.ndarray, random: np.random.Generator, photographs: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of `crop` (uint8 [R, R, 3]) with a thing before the face, and where that is (uint8 [R, R], 1 on the
    thing).

    It shows a piece of one of `photographs` (uint8 [H, W, 3], without a face), or is shaded in one colour where there
    are none. A soft pixel at its edge belongs to neither. `landmarks68` [68, 2] are in pixels of the crop.
    """
    size = crop.shape[0]
    face = hull_mask(landmarks68, size).astype(bool)
    for _ in range(TRIES):
        shape = _draw_hand(random, landmarks68, size) if random.random() < 0.5 else _draw_bar(random, landmarks68, size)
        if FACE_SHARE[0] <= shape[face].mean() <= FACE_SHARE[1]:
            break
    else:  # a face at the crop's edge, or landmarks that are no face's
        shape = cv2.circle(np.zeros_like(shape), _whole(landmarks68[30]), size // 10, 1, -1)
    texture = _cut_texture(random, photographs, size) if len(photographs) else _shade_texture(random, size)
    soft = cv2.GaussianBlur(shape.astype(np.float32), (3, 3), 0)[..., None]
    covered = np.rint(crop + (texture.astype(np.float32) - crop) * soft).astype(np.uint8)
    return covered, (soft[..., 0] > 0.999).astype(np.uint8)


def _draw_hand(random: np.random.Generator, landmarks68: np.ndarray, size: int) -> np.ndarray:
    """A few ellipses that meet in one place of the face's outline."""
    shape = np.zeros((size, size), np.uint8)
    face_px = float(np.ptp(landmarks68[:, 0]))
    start = landmarks68[random.integers(17)]
    inward = np.degrees(np.arctan2(*(landmarks68[27:36].mean(0) - start)[::-1]))
    for _ in range(random.integers(3, 6)):
        angle = inward + random.uniform(-50, 50)
        length, width = face_px * random.uniform(0.2, 0.4), face_px * random.uniform(0.05, 0.12)
        centre = start + length * 0.6 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        cv2.ellipse(shape, _whole(centre), _whole(np.array([length, width])), float(angle), 0, 360, 1, -1)
    return shape


def _draw_bar(random: np.random.Generator, landmarks68: np.ndarray, size: int) -> np.ndarray:
    """A thick line from the crop's edge to a point of the face, round at its end."""
    shape = np.zeros((size, size), np.uint8)
    end = landmarks68[random.integers(27, 68)]
    angle = random.uniform(0, 2 * np.pi)
    start = end + 1.5 * size * np.array([np.cos(angle), np.sin(angle)])
    width = float(np.ptp(landmarks68[:, 0])) * random.uniform(0.1, 0.25)
    cv2.line(shape, _whole(start), _whole(end), 1, max(5, round(width)))
    return shape


def _cut_texture(random: np.random.Generator, photographs: Sequence[np.ndarray], size: int) -> np.ndarray:
    photograph = photographs[int(random.integers(len(photographs)))]
    side = round(min(photograph.shape[:2]) * random.uniform(0.3, 1))
    top, left = (int(random.integers(length - side + 1)) for length in photograph.shape[:2])
    return cv2.resize(photograph[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)


def _shade_texture(random: np.random.Generator, size: int) -> np.ndarray:
    """One colour, lit from one side."""
    colour, angle = random.uniform(30, 225, 3), random.uniform(0, 2 * np.pi)
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    light = 25 * (across * np.cos(angle) + down * np.sin(angle))
    return np.clip(np.rint(colour + light[..., None]), 0, 255).astype(np.uint8)


def _whole(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
