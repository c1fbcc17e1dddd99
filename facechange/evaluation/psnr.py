"""Peak signal-to-noise ratio of crops: how much of the target a change left as it was."""

from __future__ import annotations

import numpy as np

CEILING_DB = 100.0  # stands for equal pictures, so that means stay finite


def psnr_crop(changed: np.ndarray, target: np.ndarray, where: np.ndarray | None = None) -> float:
    """PSNR in dB of two uint8 [H, W, 3] crops over all channels, peak 255; at most `CEILING_DB`.

    Only pixels where `where` [H, W] is not 0 count; it must keep at least one.
    """
    difference = changed.astype(np.float64) - target.astype(np.float64)
    if where is not None:
        difference = difference[where.astype(bool)]
    error = float(np.mean(difference**2))
    return CEILING_DB if error == 0 else min(CEILING_DB, 10 * np.log10(255.0**2 / error))
