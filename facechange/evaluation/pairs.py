"""Which source goes onto which target: drawn once from a seed, so that every model is measured on the same pairs."""

from __future__ import annotations

import numpy as np


def draw_pairs(faces: int, pairs: int, seed: int = 0) -> np.ndarray:
    """Rows of source and target [pairs, 2], never the same face, each face as often a source and a target as any other.

    Faces are shuffled into a ring; round after round each takes as its source another at a distance new to it. There
    are `faces * (faces - 1)` pairs at most.
    """
    assert 1 <= pairs <= faces * (faces - 1), (pairs, faces)
    generator = np.random.default_rng(seed)
    ring = generator.permutation(faces)
    distances = 1 + generator.permutation(faces - 1)
    rounds = [np.stack([np.roll(ring, -distance), ring], axis=1) for distance in distances[: -(-pairs // faces)]]
    return np.concatenate(rounds)[:pairs]
