"""How alike does an identity network find different people at most?"""

from __future__ import annotations

import numpy as np

from facechange.evaluation.intervals import Interval


def cosine_different_faces_p99(vectors: np.ndarray, seed: int = 0, resamples: int = 200) -> Interval:
    """The cosine that one pair of different faces in a hundred exceeds, for unit `vectors` [N, D] of N >= 3 faces.

    Whoever looks for one person among others takes it as the least cosine to accept. The interval resamples faces.
    """
    cosines = vectors @ vectors.T

    def measure(faces: np.ndarray) -> float:
        rows, columns = (faces[index] for index in np.triu_indices(len(faces), 1))
        different = rows != columns
        return float(np.percentile(cosines[rows[different], columns[different]], 99))

    draws = [measure(faces) for faces in np.random.default_rng(seed).integers(len(vectors), size=(resamples, len(vectors)))]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(measure(np.arange(len(vectors))), float(low), float(high), "cosine")
