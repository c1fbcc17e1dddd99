"""Hold a face's points still without holding them back: the one-euro filter, which may not look ahead.

Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems",
CHI 2012.
"""

from __future__ import annotations

import numpy as np

LEAST_CUTOFF_HZ = 1.5  # of a face that does not move
CUTOFF_PER_SPEED = 8.0  # Hz more for each size of the face a second
SPEED_CUTOFF_HZ = 2.0


class OneEuroFilter:
    """The points of one face from frame to frame."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._points: np.ndarray | None = None
        self._velocity: np.ndarray | None = None

    def step(self, points: np.ndarray, size_px: float, time_s: float) -> np.ndarray:
        """`points` [5, 2] px of a face of `size_px`, seen at `time_s`, without their jitter."""
        if self._points is None or self._velocity is None:
            self._points, self._velocity = points.astype(np.float64), np.zeros_like(points, np.float64)
        elapsed = max(time_s - self._time_s, 1e-3)
        velocity = (points - self._points) / elapsed
        self._velocity = self._velocity + _share(SPEED_CUTOFF_HZ, elapsed) * (velocity - self._velocity)
        # of the face: the jitter of single points averages out
        speed = float(np.hypot(*self._velocity.mean(0))) / size_px
        self._points = self._points + _share(LEAST_CUTOFF_HZ + CUTOFF_PER_SPEED * speed, elapsed) * (
            points - self._points
        )
        self._time_s = time_s
        return self._points


def _share(cutoff_hz: float, elapsed_s: float) -> float:
    """How much of the new value a low-pass filter takes (equation 5)."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * elapsed_s))
