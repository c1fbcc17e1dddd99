"""dlib's 68 landmarks as a second look at pose and expression; they are 68 points like the first, not a dense mesh."""

from __future__ import annotations

import cv2
import numpy as np

from facechange.evaluation.dlib_models import open_dlib

WEIGHTS = "shape_predictor_68_face_landmarks.dat"  # trained on iBUG 300-W
# The square that it reads, in parts of the change crop's side: where labelled landmarks of 100 faces are met best.
BOX_SIDE, BOX_CENTRE = 0.56, (0.5, 0.575)
LEAST_PX = 512  # it answers in whole pixels, so the crop is enlarged


class DlibLandmarker:
    """68 landmarks by regression trees (Kazemi & Sullivan 2014) on intensities: nothing in common with the training's
    networks."""

    name = "dlib"

    def __init__(self) -> None:
        """Load the trees; raises `DependencyError` where a package is missing, `ModelError` where the file is."""
        self._predictor = open_dlib("shape_predictor", WEIGHTS)

    def find(self, crops: np.ndarray) -> np.ndarray:
        """Landmarks [N, 68, 2] in pixels of uint8 change crops [N, R, R, 3]."""
        from dlib import rectangle

        found = []
        for crop in crops:
            factor = max(1, round(LEAST_PX / crop.shape[0]))
            size = crop.shape[0] * factor
            large = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)
            low, high = ([size * (middle + sign * BOX_SIDE / 2) for middle in BOX_CENTRE] for sign in (-1, 1))
            parts = self._predictor(large, rectangle(*map(round, low + high))).parts()
            found.append((np.array([(part.x, part.y) for part in parts]) + 0.5) / factor - 0.5)
        return np.stack(found)
