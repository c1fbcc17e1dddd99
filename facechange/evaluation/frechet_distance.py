"""How far the changed faces are, as a crowd, from real ones, in the features of a network."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.intervals import Interval


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet distance of the normal distributions fitted to features [N, D] and [M, D], N and M >= 2.

    The formula is FID's (Heusel et al. 2017), which is this over the pooled features of Inception and is called so only then.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    first_mean, second_mean = first.mean(0), second.mean(0)
    # The trace of (S1 S2)^(1/2), with S1 = A'A and S2 = B'B, is the sum of the singular values of A B'; A and B at most D x D by QR.
    first_spread, second_spread = (np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (first, second))
    overlap = np.linalg.svd(first_spread @ second_spread.T, compute_uv=False).sum()
    spread = (first_spread**2).sum() + (second_spread**2).sum() - 2 * overlap
    return float(((first_mean - second_mean) ** 2).sum() + max(spread, 0.0))


def frechet_distance_interval(changed: np.ndarray, real: np.ndarray, seed: int = 0, resamples: int = 100) -> Interval:
    """`frechet_distance` of changed faces [N, D] to real ones [M, D], with a 95 % interval.

    The distance of small samples is too large, and that of resampled ones more so: compare values of equal N and M only. The
    interval is the spread of bootstrap draws over the changed faces, laid around the value.
    """
    value = frechet_distance(changed, real)
    rows = np.random.default_rng(seed).integers(len(changed), size=(resamples, len(changed)))
    draws = np.array([frechet_distance(changed[row], real) for row in rows])
    low, high = np.percentile(draws - draws.mean(), [2.5, 97.5])
    return Interval(value, max(0.0, value + float(low)), value + float(high), "distance²")
