"""How much a changed video flickers beyond what its source moves (after Lai et al. 2018, with the source's own flow)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import cv2
import numpy as np

_STRAYING_PX = 1.0  # forward and backward flow that do not lead back: covered or uncovered, and not counted


def warp_error(source: Iterable[np.ndarray], changed: Iterable[np.ndarray]) -> tuple[float, float]:
    """Mean absolute difference, in levels of 255, of each frame from the next one moved back: (of `changed`, of `source`).

    Both are uint8 [H, W, 3] RGB frames in step. The movement is found in `source` (DIS optical flow), where it was before the
    change; pixels that it leads astray do not count. Protocol: the first value over the second, 1 for a change that moves
    exactly as its source does.
    """
    of_changed, of_source = [], []
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for (before, after), (changed_before, changed_after) in zip(pairwise(source), pairwise(changed), strict=True):
        old, new = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
        forward, backward = (finder.calc(*pair, np.zeros((*old.shape, 2), np.float32)) for pair in ((old, new), (new, old)))
        grid = np.stack(np.meshgrid(np.arange(old.shape[1]), np.arange(old.shape[0])), -1).astype(np.float32)
        place = grid + forward
        certain = np.hypot(*np.moveaxis(forward + _sample(backward, place), 2, 0)) < _STRAYING_PX
        if certain.any():
            of_source.append(_difference(before, after, place, certain))
            of_changed.append(_difference(changed_before, changed_after, place, certain))
    return float(np.mean(of_changed or [0.0])), float(np.mean(of_source or [0.0]))


def _difference(before: np.ndarray, after: np.ndarray, place: np.ndarray, where: np.ndarray) -> float:
    moved_back = _sample(after.astype(np.float32), place)
    return float(np.abs(moved_back - before.astype(np.float32))[where].mean())


def _sample(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return cv2.remap(values, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
