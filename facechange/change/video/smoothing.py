"""Values over time made steady without lag: a local quadratic through what came before and what comes after.

A recording can be looked at ahead, so no filter has to trail behind the movement, as a causal one must. Where a value
departs further from the curve than a locator errs, it is a real movement and is believed.
"""

from __future__ import annotations

import numpy as np

_ERROR, _MOVEMENT = 0.015, 0.04  # of the size: departures up to the first are the locator's, from the second on the face's


def smooth_at(times: np.ndarray, values: np.ndarray, at: float, reach: float, size: float) -> np.ndarray:
    """The value [D] at time `at` (s) of `values` [N, D] seen at `times` [N], which need not have one at `at`.

    `reach` (s) is how far away a value still counts, `size` the length that departures are measured by.
    """
    away = (times - at) / max(reach, 1e-9)
    weights = np.clip(1 - np.abs(away) ** 3, 1e-3, None) ** 3
    degree = 2 if (away < 0).sum() >= 2 and (away > 0).sum() >= 2 else min(1, len(times) - 1)
    powers = away[:, None] ** np.arange(degree + 1)  # [N, degree + 1]
    root = np.sqrt(weights)[:, None]
    curve = np.linalg.lstsq(powers * root, values * root, rcond=None)[0][0]
    here = np.flatnonzero(times == at)
    if not here.size:
        return curve
    departure = values[here[0]] - curve
    share = np.clip((np.sqrt(np.mean(departure**2)) / max(size, 1e-9) - _ERROR) / (_MOVEMENT - _ERROR), 0, 1)
    return curve + share * departure
