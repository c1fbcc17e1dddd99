"""The faces as the judges see them before anything is changed, and what a change is compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.expression_error_openings68 import expression_error_openings68
from facechange.evaluation.landmarker import Landmarker
from facechange.evaluation.pose68 import Pose68, fit_pose
from facechange.evaluation.pose_error_pnp68 import pose_error_pnp68
from facechange.evaluation.recognition import Recogniser
from facechange.faces.align import warp_crop
from facechange.faces.geometry import identity_crop_matrix


class OriginalFaces:
    """Every face of `faces`, shown once to the judges; `vectors` [F, D] are what the recogniser made of them."""

    def __init__(self, faces: AlignedFaces, recogniser: Recogniser, landmarker: Landmarker | None, tick: Callable[[], None]) -> None:
        """`tick` is called for each face; poses are left out without a `landmarker`."""
        self._faces, self._recogniser, self._landmarker = faces, recogniser, landmarker
        vectors, self._poses = [], []
        for index in range(len(faces)):
            vectors.append(recogniser.recognise(faces[index].identity_crop[None])[0])
            if landmarker is not None:
                self._poses.append(self._fit_pose(landmarker, faces[index].crop))
            tick()
        self.vectors = np.stack(vectors)

    def recognise(self, changed: np.ndarray, index: int) -> np.ndarray:
        """Vector [D] of face `index` after its crop became `changed`, uint8 [R, R, 3]; its landmarks are the original's."""
        matrix = identity_crop_matrix(self._faces[index].landmarks5)
        return self._recogniser.recognise(warp_crop(changed, matrix, 112)[None])[0]

    def compare_poses(self, changed: np.ndarray, index: int) -> dict[str, float]:
        """Pose and expression error of face `index` after its crop became `changed`; nothing without a landmarker."""
        if self._landmarker is None:
            return {}
        pose, wanted = self._fit_pose(self._landmarker, changed), self._poses[index]
        return {
            "pose_error_pnp68": pose_error_pnp68(pose, wanted),
            "expression_error_openings68": expression_error_openings68(pose, wanted),
        }

    def _fit_pose(self, landmarker: Landmarker, crop: np.ndarray) -> Pose68:
        return fit_pose(landmarker.find(crop[None])[0], self._faces.size_px)
