"""dlib's face recognizer as an evaluator: another network, other data and another alignment than all that the models are
trained with."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.dlib_models import open_dlib
from facechange.faces.align import warp_crop
from facechange.faces.geometry import estimate_similarity

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"  # public domain
CHIP_PX, PADDING = 150, 0.25  # the network's only size; the margin on each side, in parts of the face that it surrounds
# Where dlib's five points lie in the square of the face without its margin: outer and inner corner of the viewer's
# right eye and of the left one, and the point between the nostrils. Their rows among the 68.
FIVE_POINTS = np.array(
    [[0.85957, 0.21350], [0.64606, 0.22897], [0.12058, 0.21373], [0.33409, 0.22906], [0.49011, 0.62780]]
)
FIVE_OF_68 = [45, 42, 36, 39, 33]


class DlibEvaluator:
    """The ResNet of dlib (King 2017), 128 numbers a face; 99.4 % on LFW by its author."""

    name = "dlib"

    def __init__(self) -> None:
        """Load the network; raises `DependencyError` where a package is missing, `ModelError` where its weights are."""
        self._network = open_dlib("face_recognition_model_v1", WEIGHTS)

    def crop(self, picture: np.ndarray, landmarks5: np.ndarray, landmarks68: np.ndarray) -> np.ndarray:
        """dlib's chip of a face, uint8 [150, 150, 3], laid by eye corners and nose of its `landmarks68` [68, 2]."""
        template = (FIVE_POINTS + PADDING) / (1 + 2 * PADDING) * CHIP_PX - 0.5  # to pixel centres
        return warp_crop(picture, estimate_similarity(landmarks68[FIVE_OF_68], template), CHIP_PX)

    def recognise(self, crops: np.ndarray) -> np.ndarray:
        """L2-normalised vectors [N, 128] of uint8 chips [N, 150, 150, 3]."""
        vectors = np.array(self._network.compute_face_descriptor(list(crops)), np.float64).reshape(len(crops), -1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
