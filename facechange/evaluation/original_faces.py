"""The faces as the judges see them before anything is changed, and what a change is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.expression_error_openings68 import expression_error_openings68
from facechange.evaluation.landmarker import Landmarker
from facechange.evaluation.pose68 import Pose68, fit_pose
from facechange.evaluation.pose_error_pnp68 import pose_error_pnp68
from facechange.evaluation.recognition import Judge


class OriginalFaces:
    """Every face of `faces`, shown once to the judges; `vectors` [F, D] are what each of them, by name, made of them."""

    def __init__(self, faces: AlignedFaces, recognisers: Sequence[Judge], landmarker: Landmarker | None, tick: Callable[[], None]) -> None:
        """`tick` is called for each face; poses are left out without a `landmarker`."""
        self._faces, self._recognisers, self._landmarker = faces, recognisers, landmarker
        vectors: dict[str, list[np.ndarray]] = {judge.name: [] for judge in recognisers}
        self._poses = []
        for index in range(len(faces)):
            for judge in recognisers:
                vectors[judge.name].append(judge.recognise(faces.crop_for(judge, index)[None])[0])
            if landmarker is not None:
                self._poses.append(self._fit_pose(landmarker, faces[index].crop))
            tick()
        self.vectors = {name: np.stack(rows) for name, rows in vectors.items()}

    def recognise(self, changed: np.ndarray, index: int) -> dict[str, np.ndarray]:
        """By judge the vector [D] of face `index` after its crop became `changed`, uint8 [R, R, 3]; landmarks are the original's."""
        face = self._faces[index]
        crops = {judge: judge.crop(changed, face.landmarks5, face.landmarks68) for judge in self._recognisers}
        return {judge.name: judge.recognise(crop[None])[0] for judge, crop in crops.items()}

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
