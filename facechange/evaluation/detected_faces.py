"""A plain folder of pictures as faces to measure on: found by a scout, landmarks by a network of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from facechange.core import Face, FacechangeError, PictureError
from facechange.data.labelled import LabelledFace
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, invert, transform_points
from facechange.images import WRITABLE_SUFFIXES, read_picture

LANDMARK_CROP_PX = 256


class FoundFaces:
    """The largest face of every picture below a folder; a subfolder names the group of its pictures."""

    def __init__(
        self,
        folder: Path,
        detect: Callable[[np.ndarray], list[Face]],
        landmarker: PoseEvaluator,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Look for a face in every picture of `folder`; those without one are in `skipped`, with the reason.

        Raises `PictureError` where fewer than two pictures have a face.
        """
        self.folder = folder
        self.faces: list[LabelledFace] = []
        self.skipped: dict[str, str] = {}
        paths = list_pictures(folder)
        for number, path in enumerate(paths):
            name = path.relative_to(folder).as_posix()
            try:
                face = _find_face(name, read_picture(path).rgb8(), detect, landmarker)
            except FacechangeError as error:
                self.skipped[name] = error.message
            else:
                self.faces.append(face)
            progress(number + 1, len(paths))
        if len(self.faces) < 2:
            raise PictureError(
                f"{folder} holds {len(self.faces)} pictures with a face.",
                "Give a folder of at least two, or of labelled shards.",
            )

    def __len__(self) -> int:
        return len(self.faces)

    def read(self, index: int) -> np.ndarray:
        """Picture `index`: uint8 [H, W, 3] RGB."""
        return read_picture(self.folder / self.faces[index].image).rgb8()


def list_pictures(folder: Path) -> list[Path]:
    """Every picture below `folder`, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in WRITABLE_SUFFIXES and path.is_file())


def _find_face(
    name: str, image: np.ndarray, detect: Callable[[np.ndarray], list[Face]], landmarker: PoseEvaluator
) -> LabelledFace:
    found = detect(image)
    if not found:
        raise PictureError("No face was found.")
    matrix = ffhq_crop_matrix(found[0].points, LANDMARK_CROP_PX)
    landmarks = landmarker.find(warp_crop(image, matrix, LANDMARK_CROP_PX)[None])[0]
    *folders, _ = name.split("/")
    group = folders[0] if folders else None
    return LabelledFace(
        name, "", found[0].points, transform_points(landmarks, invert(matrix)), np.array(found[0].box), group
    )
