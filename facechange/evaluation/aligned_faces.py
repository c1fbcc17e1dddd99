"""The faces that a model is measured on, aligned once and kept while memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from facechange.core.errors import PictureError
from facechange.data.labelled import LabelledFace
from facechange.evaluation.recognition import Evaluator
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, identity_crop_matrix, transform_points

KEPT_BYTES = 512 * 2**20  # of aligned crops


class FacePictures(Protocol):
    """Pictures of one face each, read when asked for: `LabelledFaces`, `FoundFaces`, `SyntheticFaces`."""

    @property
    def faces(self) -> Sequence[LabelledFace]:
        """Landmarks, a face a picture."""
        ...

    def read(self, index: int) -> np.ndarray:
        """Picture `index`: uint8 [H, W, 3] RGB."""
        ...


@dataclass(frozen=True)
class AlignedFace:
    """One face as the networks see it; landmarks are in pixels of `crop`."""

    crop: np.ndarray  # uint8 [R, R, 3], what the face-change model changes
    identity_crop: np.ndarray  # uint8 [112, 112, 3], what the identity network reads, in the picture's full resolution
    landmarks5: np.ndarray  # [5, 2]
    landmarks68: np.ndarray  # [68, 2]
    identity: np.ndarray  # [512], what the face-change model takes of a source


class AlignedFaces:
    """`faces[index]`: an `AlignedFace` of each picture, for a model of side `size_px`."""

    def __init__(self, pictures: FacePictures, identify: Callable[[np.ndarray], np.ndarray], size_px: int) -> None:
        self._pictures, self._identify, self.size_px = pictures, identify, size_px
        self._kept = lru_cache(max(2, KEPT_BYTES // (3 * (size_px**2 + 112**2))))(self._align)

    def __len__(self) -> int:
        return len(self._pictures.faces)

    def __getitem__(self, index: int) -> AlignedFace:
        return self._kept(int(index))

    def crops_for(self, evaluators: Sequence[Evaluator], index: int) -> list[np.ndarray]:
        """What each of `evaluators` reads of a face, in the picture's full resolution: uint8 [S, S, 3]."""
        picture, face = self._pictures.read(index), self._pictures.faces[index]
        return [evaluator.crop(picture, face.landmarks5, _need_landmarks68(face)) for evaluator in evaluators]

    def _align(self, index: int) -> AlignedFace:
        picture, face = self._pictures.read(index), self._pictures.faces[index]
        matrix = ffhq_crop_matrix(face.landmarks5, self.size_px)
        identity_crop = warp_crop(picture, identity_crop_matrix(face.landmarks5), 112)
        return AlignedFace(
            warp_crop(picture, matrix, self.size_px),
            identity_crop,
            transform_points(face.landmarks5, matrix),
            transform_points(_need_landmarks68(face), matrix),
            self._identify(identity_crop),
        )


def _need_landmarks68(face: LabelledFace) -> np.ndarray:
    if face.landmarks68 is None:
        raise PictureError(f"{face.image} has no 68 landmarks.", "Measuring needs `landmarks68` for every picture.")
    return face.landmarks68
