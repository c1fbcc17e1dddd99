"""MediaPipe's dense face mesh and irises: a look at pose that rests on no 68 landmarks, and at where a face looks.

The networks are Google's, Apache-2.0 (Kartynnik et al. 2019; Ablavatski et al. 2020). They lie in the package mediapipe
up to 0.10.14, of which nothing else is used: OpenVINO reads them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facechange.core.errors import DependencyError, ModelError
from facechange.metrics.pose import Mesh

MESH, IRIS = "modules/face_landmark/face_landmark.tflite", "modules/iris_landmark/iris_landmark.tflite"
MESH_PX, IRIS_PX = 192, 64
# The square that the mesh is first looked for in, in parts of the change crop's side; then one about the mesh itself,
# twice.
BOX_SIDE, BOX_CENTRE, LOOKS, MARGIN = 0.85, (0.5, 0.56), 2, 1.4
EYE_MARGIN = 2.3  # of the eye's width: the square that the iris is looked for in
# Rows of the mesh: the corners of the viewer's left eye and of the right one, each from the left; and whether the
# network, which knows the viewer's right eye, sees it mirrored.
EYES = ((33, 133, True), (362, 263, False))


class FaceMesh:
    """Finds the mesh of the face in a change crop."""

    name = "mediapipe"

    def __init__(self) -> None:
        """Load both networks; raises `DependencyError` where a package is missing, `ModelError` where its networks
        are."""
        package = find_spec("mediapipe")  # only found: importing it asks for all that it needs
        if package is None or not package.submodule_search_locations or find_spec("openvino") is None:
            raise DependencyError(
                "The evaluator mediapipe needs the networks of the package mediapipe, and OpenVINO.",
                "Install them with: pip install openvino && pip install --no-deps mediapipe==0.10.14",
            )
        folder = Path(package.submodule_search_locations[0])
        self._mesh, self._iris = (_open(folder / file) for file in (MESH, IRIS))

    def read(self, crop: np.ndarray) -> Mesh:
        """The mesh of a uint8 [R, R, 3] change crop, RGB."""
        size = len(crop)
        points = self._look(crop, np.array(BOX_CENTRE) * size - 0.5, BOX_SIDE * size, 0.0)
        for _ in range(LOOKS):
            low, high = points[:, :2].min(0), points[:, :2].max(0)
            points = self._look(
                crop, (low + high) / 2, MARGIN * float(max(high - low)), _angle(points[EYES[0][0]], points[EYES[1][1]])
            )
        return Mesh(
            points,
            np.stack([self._find_iris(crop, points[left, :2], points[right, :2], flip) for left, right, flip in EYES]),
        )

    def _look(self, crop: np.ndarray, centre: np.ndarray, side: float, angle: float) -> np.ndarray:
        square, matrix = _cut(crop, centre, side, angle, MESH_PX)
        found = self._mesh(square[None].astype(np.float32) / 255)[0].reshape(-1, 3).astype(np.float64)
        back = cv2.invertAffineTransform(matrix)
        return np.concatenate([found[:, :2] @ back[:, :2].T + back[:, 2], found[:, 2:] * side / MESH_PX], 1)

    def _find_iris(self, crop: np.ndarray, left: np.ndarray, right: np.ndarray, flip: bool) -> np.ndarray:
        width = float(np.linalg.norm(right - left))
        square, _ = _cut(crop, (left + right) / 2, EYE_MARGIN * width, _angle(left, right), IRIS_PX)
        found = self._iris(np.ascontiguousarray(square[:, ::-1] if flip else square)[None].astype(np.float32) / 255)
        x, y = found["output_iris"].reshape(-1, 3)[0, :2]  # the middle; the other four lie on the outline
        place = np.array([IRIS_PX - 1 - x if flip else x, y], np.float64)
        return (place - (IRIS_PX - 1) / 2) * (EYE_MARGIN / IRIS_PX)


def _open(path: Path) -> Any:
    from openvino import Core

    if not path.is_file():
        raise ModelError(
            f"{path} is missing: later releases of mediapipe come without it.",
            "pip install --no-deps mediapipe==0.10.14",
        )
    return Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _cut(
    crop: np.ndarray, centre: np.ndarray, side: float, angle: float, size_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """A square of `size_px` about `centre`, turned by `angle` (radians), and the matrix [2, 3] to its pixels."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * (size_px / side)
    matrix = np.concatenate([turn, ((size_px - 1) / 2 - turn @ centre)[:, None]], 1)
    smooth = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return cv2.warpAffine(crop, matrix, (size_px, size_px), flags=smooth, borderMode=cv2.BORDER_REPLICATE), matrix


def _angle(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))
