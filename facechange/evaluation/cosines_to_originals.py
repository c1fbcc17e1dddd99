"""How like its original does a recogniser find an anonymised face, and how like everybody else?"""

from __future__ import annotations

import numpy as np


def cosines_to_originals(changed: np.ndarray, originals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of each anonymised face to its own original [N], and its mean cosine to the originals of all others [N].

    Both are L2-normalised recognition vectors [N, D] of the same N >= 2 faces in the same order. Equal on average, the two say
    that the original is no more alike than a stranger.
    """
    cosines = changed @ originals.T
    own = np.diagonal(cosines).copy()
    return own, (cosines.sum(axis=1) - own) / (len(originals) - 1)
