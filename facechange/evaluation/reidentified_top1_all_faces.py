"""Re-identification: does a search of all originals for an anonymised face find its own?"""

from __future__ import annotations

import numpy as np

from facechange.evaluation.retrieval_top1_all_faces import retrieval_top1_all_faces


def reidentified_top1_all_faces(changed: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """For each anonymised face 1.0 where its own original is the nearest of all, else 0.0: [N]; one in N by chance.

    Both are L2-normalised recognition vectors [N, D] of the same faces in the same order.
    """
    return retrieval_top1_all_faces(changed, originals, np.arange(len(originals)))
