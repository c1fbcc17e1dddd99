"""The faces as the evaluators see them before anything is changed, and what a change is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.face_mesh import FaceMesh
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.evaluation.recognition import Evaluator
from facechange.metrics import Metric
from facechange.metrics.expression import expression_error_openings68, gaze_error_iris, mouth_opening_error68
from facechange.metrics.fidelity import INSIDE_HULL, measure_regions, natural_evenness68, natural_spread
from facechange.metrics.pose import Mesh, Pose68, fit_pose, pose_error_mesh468, pose_error_pnp68

BY_LANDMARKS: tuple[Metric[[Pose68, Pose68], float], ...] = (
    pose_error_pnp68,
    expression_error_openings68,
    mouth_opening_error68,
)
BY_MESH: tuple[Metric[[Mesh, Mesh], float], ...] = (pose_error_mesh468, gaze_error_iris)


class OriginalFaces:
    """Every face of `faces`, shown once to the evaluators; `vectors` [F, D] are what each evaluator, by name, made of
    them."""

    def __init__(
        self,
        faces: AlignedFaces,
        evaluators: Sequence[Evaluator],
        landmarkers: Sequence[PoseEvaluator],
        tick: Callable[[], None],
        mesh: FaceMesh | None = None,
    ) -> None:
        """`tick` is called for each face; poses are left out without `landmarkers`, the dense one and gaze without
        `mesh`."""
        self._mesh = mesh
        self._meshes: list[Mesh] = []
        self._faces, self._evaluators, self._landmarkers = faces, evaluators, landmarkers
        vectors: dict[str, list[np.ndarray]] = {evaluator.name: [] for evaluator in evaluators}
        self._poses: list[list[Pose68]] = []
        regions = []
        for index in range(len(faces)):
            for evaluator, crop in zip(evaluators, faces.crops_for(evaluators, index), strict=True):
                vectors[evaluator.name].append(evaluator.recognise(crop[None])[0])
            self._poses.append([self._fit_pose(evaluator, faces[index].crop) for evaluator in landmarkers])
            if mesh is not None:
                self._meshes.append(mesh.read(faces[index].crop))
            regions.append(measure_regions(faces[index].crop, faces[index].landmarks68))
            tick()
        self.vectors = {name: np.stack(rows) for name, rows in vectors.items()}
        self._natural = natural_spread(np.stack(regions))

    def recognise(self, changed: np.ndarray, index: int) -> dict[str, np.ndarray]:
        """By evaluator the vector [D] of face `index` after its crop became `changed`, uint8 [R, R, 3]; landmarks are
        the original's."""
        face = self._faces[index]
        crops = {
            evaluator: evaluator.crop(changed, face.landmarks5, face.landmarks68) for evaluator in self._evaluators
        }
        return {evaluator.name: evaluator.recognise(crop[None])[0] for evaluator, crop in crops.items()}

    def compare_poses(self, changed: np.ndarray, index: int) -> dict[str, float]:
        """Pose, expression and mouth of face `index` after its crop became `changed`, by each landmarker and the
        mesh."""
        measured: dict[str, float] = {}
        for evaluator, wanted in zip(self._landmarkers, self._poses[index], strict=True):
            pose = self._fit_pose(evaluator, changed)
            measured |= {metric.by(evaluator.name): metric(pose, wanted) for metric in BY_LANDMARKS}
        if self._mesh is not None:
            dense, own = self._mesh.read(changed), self._meshes[index]
            measured |= {metric.name: metric(dense, own) for metric in BY_MESH}
        return measured

    def compare_faces(self, changed: np.ndarray, index: int) -> dict[str, float]:
        """What no evaluator is needed for, inside face `index` after its crop became `changed`; NaN where a part of it
        cannot be seen."""
        face = self._faces[index]
        measured = {metric.name: metric(changed, face.crop, face.landmarks68) for metric in INSIDE_HULL}
        return measured | {natural_evenness68.name: natural_evenness68(changed, face.landmarks68, self._natural)}

    def _fit_pose(self, evaluator: PoseEvaluator, crop: np.ndarray) -> Pose68:
        return fit_pose(evaluator.find(crop[None])[0], self._faces.size_px)
