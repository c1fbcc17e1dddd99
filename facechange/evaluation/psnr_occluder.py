"""PSNR on what covers the face: a hand or a microphone in front of it must stay as it was."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.psnr import psnr_crop


def psnr_occluder(changed: np.ndarray, covered: np.ndarray, occluder: np.ndarray) -> float:
    """PSNR in dB of a changed crop and its `covered` target, uint8 [R, R, 3], on the pixels of the `occluder` (uint8 [R, R])."""
    return psnr_crop(changed, covered, occluder)
