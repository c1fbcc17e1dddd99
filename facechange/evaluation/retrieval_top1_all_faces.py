"""ID retrieval (Table 1 of the patent): is the source the nearest of all faces of the split?"""

from __future__ import annotations

import numpy as np


def retrieval_top1_all_faces(changed: np.ndarray, gallery: np.ndarray, source_rows: np.ndarray) -> np.ndarray:
    """For each changed face 1.0 where its source is the nearest of the gallery, else 0.0: [N].

    `changed` [N, D] and `gallery` [G, D] are L2-normalised; `source_rows` [N] are rows of the gallery. The targets are in
    the gallery too, so a change that leaves the target recognisable fails.
    """
    return (np.argmax(changed @ gallery.T, axis=1) == source_rows).astype(np.float64)
