"""Means with the uncertainty that a finite set of pictures leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95 % interval, in `unit`."""

    mean: float
    low: float
    high: float
    unit: str


def bootstrap_mean(values: np.ndarray, unit: str, seed: int = 0, resamples: int = 2000) -> Interval:
    """Mean of `values` [N] with the percentile bootstrap interval (Efron 1979)."""
    values = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), unit)


def wilson_percent(successes: int, total: int) -> Interval:
    """A share in percent with its 95 % score interval (Wilson 1927), which stays honest near 0 and 100; `total` >=
    1."""
    share, z = successes / total, 1.96
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    reach = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return Interval(100 * share, float(100 * max(0, centre - reach)), float(100 * min(1, centre + reach)), "%")


def bootstrap_blocks(
    measure: Callable[[np.ndarray], float], count: int, unit: str, seed: int = 0, resamples: int = 500
) -> Interval:
    """`measure` of rows 0..`count` in time, with the interval of the moving block bootstrap (Künsch 1989): neighbours
    are alike.

    `measure` takes rows [N]. Blocks are of the square root of `count` rows.
    """
    length = max(1, round(count**0.5))
    starts = np.random.default_rng(seed).integers(count - length + 1, size=(resamples, -(-count // length)))
    draws = [measure((block[:, None] + np.arange(length)).ravel()[:count]) for block in starts]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(measure(np.arange(count)), float(low), float(high), unit)
