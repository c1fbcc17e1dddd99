"""The faces as the judges see them before anything is changed, and what a change is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.expression_error_openings68 import expression_error_openings68
from facechange.evaluation.face_mesh import FaceMesh, Mesh, gaze_error_iris, pose_error_mesh468
from facechange.evaluation.landmarker import PoseJudge
from facechange.evaluation.mouth_opening_error68 import mouth_opening_error68
from facechange.evaluation.natural_evenness68 import measure_regions, natural_evenness68, natural_spread
from facechange.evaluation.pose68 import Pose68, fit_pose
from facechange.evaluation.pose_error_pnp68 import pose_error_pnp68
from facechange.evaluation.recognition import Judge


class OriginalFaces:
    """Every face of `faces`, shown once to the judges; `vectors` [F, D] are what each recogniser, by name, made of them."""

    def __init__(
        self,
        faces: AlignedFaces,
        recognisers: Sequence[Judge],
        landmarkers: Sequence[PoseJudge],
        tick: Callable[[], None],
        mesh: FaceMesh | None = None,
    ) -> None:
        """`tick` is called for each face; poses are left out without `landmarkers`, the dense one and gaze without `mesh`."""
        self._mesh = mesh
        self._meshes: list[Mesh] = []
        self._faces, self._recognisers, self._landmarkers = faces, recognisers, landmarkers
        vectors: dict[str, list[np.ndarray]] = {judge.name: [] for judge in recognisers}
        self._poses: list[list[Pose68]] = []
        regions = []
        for index in range(len(faces)):
            for judge, crop in zip(recognisers, faces.crops_for(recognisers, index), strict=True):
                vectors[judge.name].append(judge.recognise(crop[None])[0])
            self._poses.append([self._fit_pose(judge, faces[index].crop) for judge in landmarkers])
            if mesh is not None:
                self._meshes.append(mesh.read(faces[index].crop))
            regions.append(measure_regions(faces[index].crop, faces[index].landmarks68))
            tick()
        self.vectors = {name: np.stack(rows) for name, rows in vectors.items()}
        self._natural = natural_spread(np.stack(regions))

    def recognise(self, changed: np.ndarray, index: int) -> dict[str, np.ndarray]:
        """By judge the vector [D] of face `index` after its crop became `changed`, uint8 [R, R, 3]; landmarks are the original's."""
        face = self._faces[index]
        crops = {judge: judge.crop(changed, face.landmarks5, face.landmarks68) for judge in self._recognisers}
        return {judge.name: judge.recognise(crop[None])[0] for judge, crop in crops.items()}

    def compare_poses(self, changed: np.ndarray, index: int) -> dict[str, float]:
        """Pose, expression and mouth of face `index` after its crop became `changed`, by each landmarker and the mesh."""
        measured = {}
        for judge, wanted in zip(self._landmarkers, self._poses[index], strict=True):
            pose = self._fit_pose(judge, changed)
            measured[f"pose_error_pnp68_{judge.name}"] = pose_error_pnp68(pose, wanted)
            measured[f"expression_error_openings68_{judge.name}"] = expression_error_openings68(pose, wanted)
            measured[f"mouth_opening_error68_{judge.name}"] = mouth_opening_error68(pose, wanted)
        if self._mesh is not None:
            dense, own = self._mesh.read(changed), self._meshes[index]
            measured |= {"pose_error_mesh468": pose_error_mesh468(dense, own), "gaze_error_iris": gaze_error_iris(dense, own)}
        return measured

    def compare_evenness(self, changed: np.ndarray, index: int) -> dict[str, float]:
        """How natural brows and eye sockets look after face `index` became `changed`, among the unchanged faces of the set."""
        return {"natural_evenness68": natural_evenness68(changed, self._faces[index].landmarks68, self._natural)}

    def _fit_pose(self, judge: PoseJudge, crop: np.ndarray) -> Pose68:
        return fit_pose(judge.find(crop[None])[0], self._faces.size_px)
