"""Whom does a recogniser see in the changed face: the source or the target?"""

from __future__ import annotations

import numpy as np


def pair_cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine [N] of each pair of rows of two L2-normalised arrays [N, D]."""
    return np.einsum("nd,nd->n", first, second)


def recognised_as_source_pairs(changed: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For each pair 1.0 where the changed face is nearer to its source than to its target, else 0.0: [N].

    All three are L2-normalised recognition vectors [N, D] of the pairs, in the same order.
    """
    return (pair_cosines(changed, sources) > pair_cosines(changed, targets)).astype(np.float64)
