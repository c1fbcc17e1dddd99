"""Photographs that occluders are cut from, held as one tensor on the training device."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facechange.data.backgrounds import read_backgrounds

MOST_TEXTURES = 512
LARGEST_PX = 512


def load_textures(path: Path, size: int) -> Tensor:
    """The middle square of each photograph of a tar, uint8 [T, 3, S, S] RGB with S = `size` up to 512; raises
    `TrainingError`."""
    side = min(size, LARGEST_PX)
    squares = []
    for photograph in read_backgrounds(path, held_out=False)[:MOST_TEXTURES]:
        height, width = photograph.shape[:2]
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        squares.append(
            cv2.resize(photograph[top : top + edge, left : left + edge], (side, side), interpolation=cv2.INTER_AREA)
        )
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()
